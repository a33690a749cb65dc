//! The toolchain for the datapath: a compiler with the source of the core library, and `bpf-linker`.
//!
//! There are three cases. If rustup's nightly with `rust-src` (or a toolchain that was linked here before) and
//! `bpf-linker` are there, they are used. On Debian, packages and a `bpf-linker` built from source serve instead.
//! Elsewhere setup prints what to type. A toolchain that works is never touched.

use std::{path::Path, process::Command};

use anyhow::{Result, bail, ensure};

use super::{
    debian::{self, Missing},
    guide::by_hand,
    packages,
    versions::{LINKED, LLVM},
};
use crate::process::{capture, find as find_program, run, succeeds};

/// A toolchain that can build the datapath.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Toolchain {
    /// rustup's nightly.
    Nightly,
    /// Debian's, linked under [`LINKED`].
    Linked,
}

impl Toolchain {
    const ALL: [Self; 2] = [Self::Nightly, Self::Linked];

    /// Its name for rustup.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nightly => "nightly",
            Self::Linked => LINKED,
        }
    }

    /// Trap: a toolchain may be listed and yet not run.
    fn has_core_source(self) -> bool {
        self.rustc(&["--print", "sysroot"]).is_ok_and(|sysroot| {
            Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
        })
    }

    /// The major version of its LLVM.
    fn llvm(self) -> Option<u32> {
        let version = self.rustc(&["--version", "--verbose"]).ok()?;
        let version = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
        version.split('.').next()?.parse().ok()
    }

    /// Whether the `bpf-linker` that setup builds understands what its compiler makes.
    fn suits_our_linker(self) -> bool {
        self.llvm().is_some_and(|version| version <= LLVM)
    }

    /// Trap: without `RUSTUP_AUTO_INSTALL=0`, asking an absent toolchain for its version would install it.
    fn rustc(self, arguments: &[&str]) -> Result<String> {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", self.name(), "rustc"]).args(arguments).env("RUSTUP_AUTO_INSTALL", "0");
        capture(&mut rustup)
    }
}

/// The toolchain that is there and works.
pub fn find() -> Option<Toolchain> {
    if !has_linker() {
        return None;
    }
    Toolchain::ALL.into_iter().find(|toolchain| toolchain.has_core_source())
}

/// Installs what is missing of a toolchain, or says how to.
pub fn install() -> Result<Toolchain> {
    if find_program("rustup").is_none() {
        bail!("rustup is missing; it tells the compilers of user space and datapath apart.\n\n{}", by_hand());
    }
    if !packages::has_apt() {
        bail!("the toolchain for the datapath is missing or incomplete.\n\n{}", by_hand());
    }
    let linker = !has_linker();
    let compiler = Toolchain::ALL
        .into_iter()
        .find(|toolchain| toolchain.has_core_source() && (!linker || toolchain.suits_our_linker()));
    debian::install(Missing { compiler: compiler.is_none(), linker })?;
    let toolchain = compiler.unwrap_or(Toolchain::Linked);
    ensure!(toolchain.has_core_source(), "the source of the core library is not where {} has it", toolchain.name());
    ensure!(!linker || toolchain.suits_our_linker(), "{}'s LLVM is too new for bpf-linker", toolchain.name());
    ensure!(has_linker(), "bpf-linker does not run; is cargo's bin directory on the PATH?\n\n{}", by_hand());
    Ok(toolchain)
}

/// Makes sure that the toolchain can run clippy.
pub fn clippy(toolchain: Toolchain) -> Result<()> {
    if succeeds(Command::new("rustup").args(["run", toolchain.name(), "clippy-driver", "--version"])) {
        return Ok(());
    }
    println!("Adding clippy to the datapath's toolchain {}", toolchain.name());
    match toolchain {
        Toolchain::Nightly => {
            run(Command::new("rustup").args(["component", "add", "clippy", "--toolchain", "nightly"]))
        }
        Toolchain::Linked => {
            packages::update()?;
            packages::install_beside(&["rust-web-clippy"])
        }
    }
}

fn has_linker() -> bool {
    succeeds(Command::new("bpf-linker").arg("--version"))
}
