//! The toolchain for the datapath: a compiler with the source of the core library, and `bpf-linker`.
//!
//! Three situations: rustup's nightly with `rust-src` (or a toolchain that was linked here before) and `bpf-linker` are
//! there; Debian, where packages and a `bpf-linker` built from source do; anything else, where the user is told what to
//! type. A toolchain that works is never touched.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use super::packages;
use crate::process::{capture, find as find_program, run, succeeds};

/// The rustup toolchain that stands for Debian's compiler.
const LINKED: &str = "modlb-ebpf";

/// `rustc` and `bpf-linker` must be made for the same major version of LLVM.
const PACKAGES: [&str; 7] =
    ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev"];
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";
const BPF_LINKER: &str = "0.13.0";

/// A toolchain that can build the datapath.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Toolchain {
    /// rustup's nightly.
    Nightly,
    /// Debian's, linked under [`LINKED`].
    Linked,
}

impl Toolchain {
    /// Its name for rustup.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nightly => "nightly",
            Self::Linked => LINKED,
        }
    }
}

/// The toolchain that is there and works.
pub fn find() -> Option<Toolchain> {
    if !has_linker() {
        return None;
    }
    [Toolchain::Nightly, Toolchain::Linked].into_iter().find(|toolchain| has_core_source(*toolchain))
}

/// Installs a toolchain, or says how to.
pub fn install() -> Result<Toolchain> {
    let Some(_) = find_program("rustup") else { bail!("rustup is missing.\n\n{}", by_hand()) };
    let toolchain = [Toolchain::Nightly, Toolchain::Linked].into_iter().find(|toolchain| has_core_source(*toolchain));
    if !packages::has_apt() {
        bail!("the toolchain for the datapath is missing or incomplete.\n\n{}", by_hand());
    }
    println!("Setting up the toolchain for the datapath, once:");
    if toolchain.is_none() {
        println!("  - Debian's Rust compiler with the source of its core library, and LLVM 22 (packages)");
        println!("  - its link as rustup's toolchain {LINKED}");
    }
    if !has_linker() {
        println!("  - bpf-linker {BPF_LINKER}, built from source (a minute or two)");
    }
    let toolchain = toolchain.map_or_else(link_debian_s, Ok)?;
    if !has_linker() {
        packages::apt_install(&PACKAGES[3..]).with_context(by_hand)?;
        println!("building bpf-linker {BPF_LINKER} …");
        run(Command::new("cargo")
            .args(["install", "bpf-linker", "--locked", "--version", BPF_LINKER, "--no-default-features"])
            .args(["--features", "llvm-22"])
            .env("LLVM_PREFIX", LLVM_PREFIX))?;
    }
    Ok(toolchain)
}

/// Makes sure that the toolchain can run clippy.
pub fn clippy(toolchain: Toolchain) -> Result<()> {
    if succeeds(Command::new("rustup").args(["run", toolchain.name(), "clippy-driver", "--version"])) {
        return Ok(());
    }
    match toolchain {
        Toolchain::Nightly => {
            run(Command::new("rustup").args(["component", "add", "clippy", "--toolchain", "nightly"]))
        }
        Toolchain::Linked => packages::apt_install(&["rust-web-clippy"]),
    }
}

fn link_debian_s() -> Result<Toolchain> {
    packages::apt_install(&PACKAGES).with_context(by_hand)?;
    run(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]))?;
    if !has_core_source(Toolchain::Linked) {
        bail!("Debian's compiler was installed, but the source of its core library is not where it should be");
    }
    Ok(Toolchain::Linked)
}

/// Trap: a toolchain may be listed and yet not run.
fn has_core_source(toolchain: Toolchain) -> bool {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", toolchain.name(), "rustc", "--print", "sysroot"]);
    capture(&mut rustc)
        .is_ok_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file())
}

fn has_linker() -> bool {
    succeeds(Command::new("bpf-linker").arg("--version"))
}

fn by_hand() -> String {
    format!(
        "On a machine with rustup (https://rustup.rs) type:\n\n    \
         rustup toolchain install nightly --component rust-src,clippy\n    \
         cargo install bpf-linker --version {BPF_LINKER}\n\n\
         and on Debian 12 without access to rustup's servers, as root:\n\n    \
         apt-get install --no-install-recommends {}\n    \
         LLVM_PREFIX={LLVM_PREFIX} cargo install bpf-linker --version {BPF_LINKER} --no-default-features --features llvm-22\n    \
         rustup toolchain link {LINKED} /usr\n\n\
         and then again what you typed. User space alone builds without: AYA_BUILD_SKIP=1",
        PACKAGES.join(" ")
    )
}
