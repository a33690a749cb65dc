//! The file of digests that were proven. The build compares what it has built with them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::code_digest::{self, PROVEN_PROGRAMS};

/// Whether the file notes the object's digest, or does so now. Of a compiler that it does not know, it need not note
/// any.
pub fn check(file: &Path, object: &[u8], compiler: &str, note: bool) -> Result<bool> {
    let digest = code_digest::digest(object, &PROVEN_PROGRAMS)?;
    let noted = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    if is_noted(&noted, &digest) {
        return Ok(true);
    }
    if note {
        fs::write(file, format!("{}\n{digest} {compiler}\n", noted.trim_end()))
            .with_context(|| format!("writing {}", file.display()))?;
        println!("noted in {}; builds say from now on that it is proven", file.display());
        return Ok(true);
    }
    let known = knows(&noted, compiler);
    let of = if known { "this digest" } else { "a digest of this compiler" };
    eprintln!("{} does not note {of} ({compiler}): `cargo xtask prove --note` does", file.display());
    Ok(!known)
}

fn is_noted(noted: &str, digest: &str) -> bool {
    noted.lines().any(|line| line.split_whitespace().next() == Some(digest))
}

/// Whether the file notes something that this compiler has made.
fn knows(noted: &str, compiler: &str) -> bool {
    noted.lines().filter_map(|line| line.split_once(' ')).any(|(_, by)| by == compiler)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTED: &str = "# a comment\n0a0b rustc 1.96.0, LLVM 22\n0a0b0c rustc 1.97.0, LLVM 22\n";

    #[test]
    fn a_digest_is_a_whole_word() {
        assert!(is_noted(NOTED, "0a0b") && is_noted(NOTED, "0a0b0c"));
        assert!(!is_noted("# 0a0b\n0a0b0c\n", "0a0b"));
    }

    #[test]
    fn another_compiler_makes_other_instructions() {
        assert!(knows(NOTED, "rustc 1.96.0, LLVM 22"));
        assert!(!knows(NOTED, "rustc 1.96.0, LLVM 21") && !knows(NOTED, ""));
    }
}
