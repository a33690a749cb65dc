//! Says what is missing, then installs it; does nothing if nothing is missing.

mod deny;
mod distribution;
mod fuzzer;
mod guide;
mod packages;
mod plan;
mod programs;
mod simulation;
mod steps;
mod toolchain;
mod unpacked;
mod versions;

use std::process::Command;

use anyhow::{Result, ensure};

pub use deny::install as deny;
pub use fuzzer::install as fuzzer;
pub use programs::Need;
pub use toolchain::Toolchain;

use crate::process::{cargo, run, succeeds};

/// The toolchain for the datapath and the programs for all tasks. `yes`: nothing is asked.
pub fn everything(yes: bool) -> Result<()> {
    if yes {
        packages::assume_yes();
    }
    let toolchain = toolchain_with_clippy()?;
    style()?;
    programs(&[Need::Demo, Need::Test, Need::Lint])?;
    deny::install()?;
    match toolchain {
        Some(toolchain) => println!("Nothing is missing; the datapath's toolchain is {}.", toolchain.name()),
        None => println!("Nothing is missing for user space; AYA_BUILD_SKIP is set: no toolchain for the datapath."),
    }
    Ok(())
}

/// The toolchain for the datapath; `None`: the user wants to do without (`AYA_BUILD_SKIP`).
pub fn toolchain() -> Result<Option<Toolchain>> {
    if datapath_is_skipped() {
        return Ok(None);
    }
    let toolchain = match toolchain::find() {
        Some(toolchain) => toolchain,
        None => toolchain::install()?,
    };
    Ok(Some(toolchain))
}

/// The same, ready for lints.
pub fn toolchain_with_clippy() -> Result<Option<Toolchain>> {
    let toolchain = toolchain()?;
    toolchain.map_or(Ok(()), toolchain::clippy)?;
    Ok(toolchain)
}

/// rustfmt and clippy for the toolchain of user space: rustup's minimal profile leaves them out.
pub fn style() -> Result<()> {
    if succeeds(cargo().args(["fmt", "--version"])) && succeeds(cargo().args(["clippy", "--version"])) {
        return Ok(());
    }
    println!("Adding rustfmt and clippy to the toolchain of user space");
    run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]))
}

/// The programs that tasks run.
pub fn programs(needs: &[Need]) -> Result<()> {
    programs::install(needs)
}

/// What an emulated machine needs.
pub fn emulator() -> Result<()> {
    let toolchain = toolchain()?;
    ensure!(toolchain.is_some(), "AYA_BUILD_SKIP is set: there is no datapath to test");
    programs(&[Need::Test, Need::Emulator])
}

/// Fetches the lists of packages anew.
pub fn package_lists() -> Result<()> {
    ensure!(packages::has_apt(), "there is no apt-get here");
    packages::update()
}

/// Whether the datapath is left out.
pub fn datapath_is_skipped() -> bool {
    std::env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}
