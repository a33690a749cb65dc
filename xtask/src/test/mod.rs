//! `cargo xtask test`.

mod durations;
pub mod kernel;

use std::{
    io::{IsTerminal as _, stderr, stdout},
    process::Command,
    thread,
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
    // Both find no terminal when their output is read.
    if stderr().is_terminal() {
        test.args(["--color", "always"])
            .env("CARGO_TERM_PROGRESS_WHEN", "always")
            .env("CARGO_TERM_PROGRESS_WIDTH", "80");
    }
    test.arg("--").args(arguments);
    if stdout().is_terminal() && !arguments.iter().any(|argument| argument.starts_with("--color")) {
        test.args(["--color", "always"]);
    }
    durations::run(&mut test, threads(arguments))?;
    if !arguments.is_empty() {
        return Ok(());
    }
    // What must not compile: its doctests need no datapath.
    process::run(cargo().args(["test", "--package", "lb-ebpf", "--doc"]))
}

/// How many tests of a binary run at a time.
fn threads(arguments: &[String]) -> usize {
    let mut arguments = arguments.iter();
    let asked = arguments.find_map(|argument| argument.strip_prefix("--test-threads")).and_then(|rest| {
        let value = rest.strip_prefix('=').map(str::to_owned);
        value.or_else(|| arguments.next().cloned())
    });
    let asked = asked.or_else(|| std::env::var("RUST_TEST_THREADS").ok());
    asked
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into))
}

/// The tests of all crates. Trap: what else is built beside a crate decides its dependencies' features, so another
/// choice of crates would build everything once more.
fn workspace() -> Result<Command> {
    let mut test = build::with_toolchain(cargo())?;
    test.args(["test", "--workspace", "--exclude", "lb-ebpf"]);
    Ok(test)
}

/// Compares random packets with the oracle, then watches two balancers under random events and an agent whose file is
/// replaced in every way, each for this many minutes.
pub fn soak(minutes: u64, arguments: &[String]) -> Result<()> {
    ensure!(!setup::datapath_is_skipped(), "AYA_BUILD_SKIP is set: there is no datapath to compare");
    let mut test = build::with_toolchain(cargo())?;
    // Seeds that no other run has: those of one are consecutive numbers.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() * 1_000;
    test.args(["test", "--release", "--package", "lb-userspace", "--test", "oracle"])
        .args(["--test", "soak"])
        .env("MODLB_ORACLE_MINUTES", minutes.to_string())
        .env("MODLB_ORACLE_SEED", seed.to_string())
        .env("MODLB_SOAK_MINUTES", minutes.to_string())
        .env("MODLB_SOAK_SEED", seed.to_string());
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

#[cfg(test)]
mod tests {
    #[test]
    fn threads_are_those_that_the_arguments_ask_for() {
        let threads =
            |arguments: &[&str]| super::threads(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(threads(&["word", "--test-threads", "7", "--nocapture"]), 7);
        assert_eq!(threads(&["--test-threads=3"]), 3);
        assert!(threads(&["word"]) >= 1);
    }
}
