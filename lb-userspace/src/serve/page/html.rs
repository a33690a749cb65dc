//! The page's file, and its content security policy: only the script and style in that file run, by hash.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// The page: a single file.
pub const HTML: &str = include_str!("page.html");

/// The content security policy.
pub fn policy() -> &'static str {
    LazyLock::force(&POLICY).as_str()
}

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content(tag))));
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

#[cfg(test)]
mod tests {
    use super::*;

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
