//! Configurations from the documents, so that the tests run what readers see.

use std::{fs, path::Path};

/// The block of TOML in `docs/` that starts with this comment.
pub fn toml(document: &str, title: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let start = format!("```toml\n# {title}\n");
    let block = text.split_once(&start).unwrap_or_else(|| panic!("{document} has no block {title:?}")).1;
    block.split_once("```").unwrap().0.to_owned()
}
