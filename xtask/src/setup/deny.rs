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
    println!("Installing cargo-deny {CARGO_DENY}, built from source (two minutes)");
    let mut install = Command::new("cargo");
    install.args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY]);
    // It runs for a second: optimising it takes longer than it can save.
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
    run(install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"))
}
