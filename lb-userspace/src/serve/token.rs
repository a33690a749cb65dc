//! The token that requests must bring: as a bearer token, or as the password of HTTP's basic authentication, which is
//! how a browser asks for it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, bail};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::files::FromFiles;

/// The shortest token, in bytes: one cannot be guessed if it is random.
const SHORTEST: usize = 16;

/// The longest token, in bytes.
const LONGEST: usize = 1_024;

/// The digest of a token, whose comparison says nothing about the token.
#[derive(Debug)]
pub(super) struct Token([u8; 32]);

impl Token {
    /// Reads a file whose first and only line is the token.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let path = paths.first().context("no file")?;
        let text = fs::read_to_string(path).with_context(|| format!("reading --token-file {}", path.display()))?;
        let token = text.trim_end();
        if !(SHORTEST..=LONGEST).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!(
                "--token-file {} must hold one token of {SHORTEST} to {LONGEST} printable ASCII characters without spaces; \
                 make one with `openssl rand -hex 32`",
                path.display()
            );
        }
        if fs::metadata(path)?.permissions().mode() & 0o004 != 0 {
            log::warn!("--token-file {} can be read by everyone; `chmod o-r` helps", path.display());
        }
        Ok(Self::of(token.as_bytes()))
    }

    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether a request's `Authorization` has it.
    fn allows(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some((scheme, rest)) = authorization.and_then(|value| value.to_str().ok()?.split_once(' ')) else {
            return false;
        };
        let given = match () {
            () if scheme.eq_ignore_ascii_case("bearer") => rest.trim().as_bytes().to_vec(),
            () if scheme.eq_ignore_ascii_case("basic") => match password(rest.trim()) {
                Some(password) => password,
                None => return false,
            },
            () => return false,
        };
        Self::of(&given).0.ct_eq(&self.0).into()
    }
}

/// The password of basic authentication, with any user name.
fn password(encoded: &str) -> Option<Vec<u8>> {
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

/// Refuses requests without the token.
pub(super) async fn check(State(token): State<Arc<FromFiles<Token>>>, request: Request, next: Next) -> Response {
    if token.get().allows(request.headers().get(header::AUTHORIZATION)) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"modlb: any name, and the token as password\", Bearer")];
    let text =
        "the token is missing or wrong; send it as `Authorization: Bearer TOKEN`, or as the password in a browser\n";
    (StatusCode::UNAUTHORIZED, challenge, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_as_bearer_or_as_password() {
        let token = Token::of(b"0123456789abcdef");
        let allows = |value: &str| token.allows(Some(&HeaderValue::from_str(value).unwrap()));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert!(allows("Bearer 0123456789abcdef") && allows("bearer  0123456789abcdef"));
        assert!(allows(&basic("admin:0123456789abcdef")) && allows(&basic(":0123456789abcdef")));
        for value in [
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcde",
            "Bearer",
            "0123456789abcdef",
            "Digest 0123456789abcdef",
            "Basic %%%",
            &basic("0123456789abcdef:"),
            &basic("0123456789abcdef"),
        ] {
            assert!(!allows(value), "{value}");
        }
        assert!(!token.allows(None));
    }

    #[test]
    fn weak_tokens_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        for (text, good) in [
            ("0123456789abcdef\n", true),
            ("0123456789abcde\n", false),
            ("", false),
            ("0123456789 abcdef", false),
            ("0123456789abcdef\n0123456789abcdef\n", false),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(Token::read(std::slice::from_ref(&path)).is_ok(), good, "{text:?}");
        }
        let missing = Token::read(&[directory.path().join("none")]).unwrap_err();
        assert!(missing.to_string().starts_with("reading --token-file"), "{missing}");
    }
}
