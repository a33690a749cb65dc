//! Spelling, by codespell: its list of common mistakes, and American forms of words that are British here.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{find, run};

/// The list of forms; what is not looked at is in `.codespellrc`.
const BRITISH: &str = ".ci/spelling.txt";

/// Whether it can be checked here.
pub fn is_there() -> bool {
    find("codespell").is_some()
}

/// Checks every text of the repository. A word that is right goes into `.codespellrc`.
pub fn check() -> Result<()> {
    run(Command::new("codespell").args(["--dictionary", "-", "--dictionary", BRITISH, "."]))
        .context("spelling; a word that is right as it is goes into .codespellrc")
}
