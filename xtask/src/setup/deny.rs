//! cargo-deny, which checks what modlb depends on.

use std::process::Command;

use anyhow::Result;

use crate::process::{run, succeeds};

/// Its version.
const CARGO_DENY: &str = "0.20.2";

/// Installs it if it is missing.
pub fn install() -> Result<()> {
    if succeeds(Command::new("cargo").args(["deny", "--version"])) {
        return Ok(());
    }
    println!("Installing cargo-deny {CARGO_DENY}, built from source (some minutes)");
    run(Command::new("cargo").args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY]))
}
