//! Packages of Debian and its derivatives.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::process::{as_root, capture, find, is_root, run, succeeds};

/// Whether packages can be installed here.
pub fn has_apt() -> bool {
    find("apt-get").is_some() && find("apt-cache").is_some()
}

/// Those that are not installed.
pub fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| !is_installed(package)).collect()
}

/// Fetches the lists of packages anew.
pub fn update() -> Result<()> {
    run(apt()?.arg("update")).context("the lists of packages cannot be had")
}

/// Those that this release does not have.
pub fn unknown<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| !is_offered(package)).collect()
}

/// Installs packages.
pub fn install(packages: &[&str]) -> Result<()> {
    run(apt()?.args(["install", "--no-install-recommends"]).args(packages))
}

/// Installs packages, unless others would have to be removed for them: `rustc-web` conflicts with a user's `rustc`.
pub fn install_beside(packages: &[&str]) -> Result<()> {
    run(apt()?.args(["install", "--no-install-recommends", "--no-remove"]).args(packages))
}

/// Installs packages that bring a service, which is neither started nor enabled.
///
/// Trap: a package's script starts its service at once. A mask in /run keeps systemd from it and is gone with the next
/// boot at the latest; other init systems heed `RUNLEVEL`.
pub fn install_without_service(packages: &[&str], service: &str) -> Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return install(packages);
    }
    println!("  (the service {service} is masked meanwhile and stays disabled)");
    run(as_root("systemctl")?.args(["mask", "--runtime", service]))?;
    let installed = install(packages);
    run(as_root("systemctl")?.args(["unmask", "--runtime", service]))?;
    installed?;
    run(as_root("systemctl")?.args(["disable", service]))
}

/// Trap: sudo may clear the environment, so what apt is to see is set behind it.
fn apt() -> Result<Command> {
    ensure!(is_root() || find("sudo").is_some(), "packages can only be installed by root, and there is no sudo");
    let mut apt = as_root("env")?;
    apt.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "--quiet", "--yes"]);
    Ok(apt)
}

fn is_installed(package: &str) -> bool {
    let status = capture(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

fn is_offered(package: &str) -> bool {
    succeeds(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
}
