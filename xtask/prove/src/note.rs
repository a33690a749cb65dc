//! The file of digests that were proven. The build compares what it has built with them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::code_digest::{self, PROVEN_PROGRAMS};

/// Whether the file notes the object's digest, or does so now.
pub fn check(file: &Path, object: &[u8], note: bool) -> Result<bool> {
    let digest = code_digest::digest(object, &PROVEN_PROGRAMS)?;
    let noted = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    if is_noted(&noted, &digest) {
        return Ok(true);
    }
    if !note {
        eprintln!("{} does not note this digest: run `cargo xtask prove --note`", file.display());
        return Ok(false);
    }
    fs::write(file, format!("{}\n{digest}\n", noted.trim_end()))
        .with_context(|| format!("writing {}", file.display()))?;
    println!("noted in {}; builds say from now on that it is proven", file.display());
    Ok(true)
}

fn is_noted(noted: &str, digest: &str) -> bool {
    noted.lines().any(|line| line == digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_whole_line() {
        assert!(is_noted("# a comment\n0a0b\n", "0a0b"));
        assert!(!is_noted("# 0a0b\n0a0b0c\n", "0a0b"));
    }
}
