//! Debian's compiler, linked into rustup as a toolchain, and a `bpf-linker` built for its LLVM.

use std::process::Command;

use anyhow::{Result, anyhow};

use super::{
    guide::by_hand,
    packages,
    versions::{BPF_LINKER, LINKED, LINKER_PACKAGES, LLVM_PREFIX, PACKAGES},
};
use crate::process::{find, run};

/// Which parts are missing.
#[derive(Clone, Copy, Debug)]
pub struct Missing {
    /// The compiler and its link.
    pub compiler: bool,
    /// `bpf-linker`.
    pub linker: bool,
}

/// Installs the missing parts.
pub fn install(missing: Missing) -> Result<()> {
    println!("Setting up the toolchain for the datapath, once:");
    let packages = wanted_packages(missing);
    if !packages.is_empty() {
        println!("  - packages: {}", packages.join(" "));
    }
    if missing.linker {
        println!("  - bpf-linker {BPF_LINKER}, built from source (a minute or two)");
    }
    if missing.compiler {
        println!("  - the link to Debian's compiler as rustup's toolchain {LINKED}");
    }
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    if missing.linker {
        build_linker()?;
    }
    if missing.compiler {
        run(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]))?;
    }
    Ok(())
}

fn wanted_packages(missing: Missing) -> Vec<&'static str> {
    let mut wanted = match missing {
        Missing { compiler: true, .. } => packages::missing(&PACKAGES),
        Missing { compiler: false, linker: true } => packages::missing(&LINKER_PACKAGES),
        Missing { compiler: false, linker: false } => Vec::new(),
    };
    if missing.linker && find("c++").is_none() {
        wanted.push("build-essential");
    }
    wanted
}

fn install_packages(wanted: &[&str]) -> Result<()> {
    let installed = packages::update().and_then(|()| match packages::unknown(wanted)[..] {
        [] => packages::install_beside(wanted),
        ref unknown => Err(anyhow!("this distribution has no package {}", unknown.join(", "))),
    });
    installed.map_err(|error| anyhow!("{error:#}.\n\n{}", by_hand()))
}

fn build_linker() -> Result<()> {
    println!("building bpf-linker {BPF_LINKER} …");
    run(Command::new("cargo")
        .args(["install", "bpf-linker", "--locked", "--version", BPF_LINKER, "--no-default-features"])
        .args(["--features", "llvm-22"])
        .env("LLVM_PREFIX", LLVM_PREFIX))
}
