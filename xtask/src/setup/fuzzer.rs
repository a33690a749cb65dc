//! What fuzzing needs: cargo-fuzz, and a C++ compiler for libFuzzer.

use std::process::Command;

use anyhow::Result;

use super::programs::{self, Need};
use crate::process::{run, succeeds};

/// The version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";

/// Installs what is missing.
pub fn install() -> Result<()> {
    programs::install(&[Need::Fuzz])?;
    if succeeds(Command::new("cargo").args(["fuzz", "--version"])) {
        return Ok(());
    }
    println!("Installing cargo-fuzz {CARGO_FUZZ}, built from source (a minute)");
    run(Command::new("cargo").args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ]))
}
