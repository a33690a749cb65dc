//! `cargo xtask lint`.

use std::process::Command;

use anyhow::Result;

use crate::{
    build,
    process::{self, cargo},
    setup::{self, Need},
    tidy,
};

/// Checks the sources' layout and documents, then format and lints of every crate, the datapath for its own target.
/// Given are the names of all tasks.
pub fn run(tasks: &[String]) -> Result<()> {
    setup::programs(&[Need::Lint])?;
    step("tidy");
    tidy::run(tasks)?;
    setup::style()?;
    step("format");
    process::run(cargo().args(["fmt", "--all", "--check"]))?;
    dependencies()?;
    step("clippy, user space");
    let mut clippy = build::with_toolchain(cargo())?;
    clippy.args(["clippy", "--workspace", "--exclude", "lb-ebpf", "--all-targets", "--", "-D", "warnings"]);
    process::run(&mut clippy)?;
    let Some(toolchain) = setup::toolchain_with_clippy()? else {
        println!("WARNING: AYA_BUILD_SKIP is set: the datapath is not checked");
        return Ok(());
    };
    step("clippy, datapath");
    process::run(&mut datapath_clippy(toolchain)?)
}

/// Licences, sources and versions of what modlb depends on; known vulnerabilities where their database can be had.
fn dependencies() -> Result<()> {
    setup::deny()?;
    step("dependencies");
    process::run(cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]))?;
    if process::succeeds(cargo().args(["deny", "fetch", "db"])) {
        return process::run(cargo().args(["deny", "--locked", "check", "advisories"]));
    }
    println!("WARNING: the database of advisories cannot be fetched: known vulnerabilities are not looked for");
    Ok(())
}

fn step(what: &str) {
    println!("lint: {what}");
}

/// Clippy of the toolchain that builds the datapath, for the BPF target and with what `aya-build` sets.
fn datapath_clippy(toolchain: setup::Toolchain) -> Result<Command> {
    let mut clippy = Command::new("rustup");
    clippy
        .args(["run", toolchain.name(), "cargo", "clippy", "--package", "lb-ebpf", "--release", "--features", "bench"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"])
        .arg(build::target_directory()?.join("clippy-ebpf"))
        .args(["--", "-D", "warnings"])
        .env("CARGO_ENCODED_RUSTFLAGS", format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH))
        // This has a release compiler accept unstable options; a nightly one does anyway.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTC")
        .env_remove("CARGO");
    Ok(clippy)
}
