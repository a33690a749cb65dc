//! The page's file, and its content security policy: only the script and style in that file run, by hash.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// The page: a single file.
pub const HTML: &str = include_str!("page.html");

/// The content security policy.
pub fn policy() -> &'static str {
    LazyLock::force(&POLICY).as_str()
}

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag| format!("'sha256-{}'", base64(&Sha256::digest(content(tag))));
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});

/// The content of the page's only element of this name.
fn content(tag: &str) -> &'static str {
    let start = HTML.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
    start.split_once(&format!("</{tag}>")).map_or("", |(content, _)| content)
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, place| bits << 8 | u32::from(group.get(place).copied().unwrap_or_default()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, 10.
    #[test]
    fn base64_matches_the_rfcs_vectors() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_page_has_one_script_one_style_and_no_external_resources() {
        for tag in ["<script", "<style"] {
            assert_eq!(HTML.matches(tag).count(), 1, "{tag}");
        }
        assert!(content("script").len() > 1_000 && content("style").len() > 1_000);
        for outside in ["http://", "https://", "src=", "url(", "@import", "eval(", "innerHTML", " style="] {
            assert!(!HTML.contains(outside), "{outside}");
        }
    }
}
