//! Carries out what `plan` says.

use std::process::Command;

use anyhow::{Result, anyhow};

use super::{
    guide::by_hand,
    packages,
    plan::Step,
    versions::{BINSTALL, BPF_LINKER, LINKED, LLVM_PREFIX, NIGHTLY},
};
use crate::process::{find, run, succeeds};

/// Says what the steps are, then takes them.
pub fn take(steps: &[Step]) -> Result<()> {
    println!("Setting up the toolchain for the datapath, once:");
    for step in steps {
        println!("  - {}", described(step));
    }
    steps.iter().try_for_each(|step| take_one(step).map_err(|error| anyhow!("{error:#}.\n\n{}", by_hand())))
}

fn described(step: &Step) -> String {
    match step {
        Step::Packages(packages) => format!("packages: {}", packages.join(" ")),
        Step::InitRustup => "rustup, without a toolchain of its own".to_owned(),
        Step::Nightly => format!("rustup's toolchain {NIGHTLY}, with the source of the core library"),
        Step::BuildLinker => format!("bpf-linker {BPF_LINKER}, built from source (a minute or two)"),
        Step::FetchLinker => format!("bpf-linker {BPF_LINKER}, as its authors have built it"),
        Step::Link => format!("the link to Debian's compiler as rustup's toolchain {LINKED}"),
    }
}

fn take_one(step: &Step) -> Result<()> {
    match step {
        Step::Packages(packages) => install(packages),
        Step::InitRustup => {
            run(Command::new("rustup-init").args(["-y", "--no-modify-path", "--default-toolchain", "none"]))
        }
        Step::Nightly => run(Command::new("rustup")
            .args(["toolchain", "install", NIGHTLY, "--profile", "minimal"])
            .args(["--component", "rust-src", "--component", "clippy", "--no-self-update"])),
        Step::BuildLinker => run(Command::new("cargo")
            .args(["install", "bpf-linker", "--locked", "--version", BPF_LINKER, "--no-default-features"])
            .args(["--features", "llvm-22"])
            .env("LLVM_PREFIX", LLVM_PREFIX)),
        Step::FetchLinker => fetch_linker(),
        Step::Link => run(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"])),
    }
}

fn install(wanted: &[&'static str]) -> Result<()> {
    let mut wanted = wanted.to_vec();
    if packages::has_apt() {
        wanted.extend(find("c++").is_none().then_some("build-essential"));
    }
    packages::install(&wanted)
}

/// cargo-binstall takes the archive that the release has for this machine.
fn fetch_linker() -> Result<()> {
    if !succeeds(Command::new("cargo").args(["binstall", "-V"])) {
        run(Command::new("cargo").args(["install", "cargo-binstall", "--locked", "--version", BINSTALL]))?;
    }
    run(Command::new("cargo").args(["binstall", "--no-confirm", &format!("bpf-linker@{BPF_LINKER}")]))
}
