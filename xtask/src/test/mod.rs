//! `cargo xtask test`.

pub mod kernel;

use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail, ensure};

use crate::{
    build,
    process::{self, capture, cargo, find, is_root},
    setup::{self, Need},
};

/// Runs all tests; those that need root get it.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut test = workspace()?;
    if setup::datapath_is_skipped() {
        println!("WARNING: AYA_BUILD_SKIP is set: ONLY WHAT NEEDS NO DATAPATH IS TESTED");
    } else {
        setup::programs(&[Need::Test])?;
        give_root(&mut test)?;
    }
    if !arguments.is_empty() {
        test.arg("--").args(arguments);
    }
    process::run(&mut test)
}

/// The tests of all crates. Trap: what else is built beside a crate decides its dependencies' features, so another
/// choice of crates would build everything once more.
fn workspace() -> Result<Command> {
    let mut test = build::with_toolchain(cargo())?;
    test.args(["test", "--workspace", "--exclude", "lb-ebpf"]);
    Ok(test)
}

/// Compares random packets with the oracle for so many minutes.
pub fn soak(minutes: u64, arguments: &[String]) -> Result<()> {
    ensure!(!setup::datapath_is_skipped(), "AYA_BUILD_SKIP is set: there is no datapath to compare");
    let mut test = build::with_toolchain(cargo())?;
    // Seeds that no other run has: those of one are consecutive numbers.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() * 1_000;
    test.args(["test", "--release", "--package", "lb-userspace", "--test", "oracle"])
        .env("MODLB_ORACLE_MINUTES", minutes.to_string())
        .env("MODLB_ORACLE_SEED", seed.to_string());
    give_root(&mut test)?;
    if !arguments.is_empty() {
        test.arg("--").args(arguments);
    }
    process::run(&mut test)
}

/// Where this is not root, cargo runs the tests that it built by sudo.
fn give_root(test: &mut Command) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    if find("sudo").is_none() {
        if std::env::var("CI").is_ok_and(|value| value == "true") {
            bail!("tests need root, and there is no sudo");
        }
        println!("WARNING: this is not root and there is no sudo: the tests of the datapath will be skipped");
        return Ok(());
    }
    let version = capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let runner = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"));
    test.env(runner, "sudo --preserve-env");
    Ok(())
}
