//! Programs from the distribution's packages.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{as_root, find, run, succeeds};

/// What a program is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask test`.
    Test,
}

/// A program, the package that has it, and who needs it.
const PROGRAMS: [(&str, &str, &[Need]); 6] = [
    ("ip", "iproute2", &[Need::Demo, Need::Test]),
    ("nsenter", "util-linux", &[Need::Demo, Need::Test]),
    ("ethtool", "ethtool", &[Need::Demo, Need::Test]),
    ("bpftool", "bpftool", &[Need::Test]),
    ("curl", "curl", &[Need::Demo, Need::Test]),
    ("python3", "python3", &[Need::Demo]),
];

/// Installs the programs that are missing.
pub fn install(needs: &[Need]) -> Result<()> {
    let wanted = PROGRAMS.iter().filter(|(_, _, by)| by.iter().any(|need| needs.contains(need)));
    let missing: Vec<_> = wanted.filter(|(program, _, _)| find(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|(_, package, _)| *package).collect();
    if !has_apt() {
        let programs: Vec<_> = missing.iter().map(|(program, _, _)| *program).collect();
        bail!("these programs are missing: {}; please install them", programs.join(", "));
    }
    println!("Installing programs that demo and tests use: {}", packages.join(", "));
    apt_install(&packages)
}

/// Whether packages can be installed here.
pub fn has_apt() -> bool {
    find("apt-get").is_some()
}

/// Installs packages that are not yet installed.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    let missing: Vec<_> = packages.iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = || {
        let mut apt = as_root("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "--yes"]);
        apt
    };
    run(apt().arg("update")).context("the list of packages cannot be had")?;
    run(apt().args(["install", "--no-install-recommends"]).args(missing))
}

fn is_installed(package: &str) -> bool {
    succeeds(Command::new("dpkg").args(["--status", package]))
}
