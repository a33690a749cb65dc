//! Chromium without a screen, in the gateway's namespace.

use std::fs;

use crate::support::namespace::Namespace;

/// The page at a URL after some seconds, as the browser has it then: HTML again.
pub fn dom(gateway: &Namespace, url: &str) -> String {
    let files = tempfile::tempdir().unwrap();
    let mut chromium = gateway.command("chromium");
    chromium.args("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '));
    chromium.args("--disable-background-networking --disable-component-update --disable-sync".split(' '));
    // The browser's clock runs ahead while nothing is awaited from the network.
    chromium.arg(format!("--user-data-dir={}", files.path().display())).args([
        "--virtual-time-budget=5000",
        "--dump-dom",
        url,
    ]);
    let output = chromium.env("HOME", files.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("</html>"), "{}", String::from_utf8_lossy(&output.stderr));
    let _ = fs::remove_dir_all(files.path().join("Default"));
    text
}

/// The text of the first element with this id.
pub fn text_of(dom: &str, id: &str) -> String {
    let start = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {dom}"));
    let inner = dom[start..].split_once('>').unwrap().1;
    inner.split_once('<').unwrap().0.to_owned()
}

/// Whether the element with this id is hidden.
pub fn is_hidden(dom: &str, id: &str) -> bool {
    let start = dom.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {dom}"));
    dom[start..].split_once('>').unwrap().0.contains("hidden")
}

/// The cells' texts of the row that has this key.
pub fn cells(dom: &str, key: &str) -> Vec<String> {
    let start = dom.find(&format!("data-key=\"{key}\"")).unwrap_or_else(|| panic!("no row {key}: {dom}"));
    let row = dom[start..].split_once("</tr>").unwrap().0.split_once('>').unwrap().1;
    row.split("</t").map(plain).filter(|cell| !cell.is_empty()).collect()
}

/// Without tags.
fn plain(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text += part.split_once('>').map_or(part, |(_, text)| text);
    }
    text.trim_start_matches("d>").trim_start_matches("h>").trim().to_owned()
}
