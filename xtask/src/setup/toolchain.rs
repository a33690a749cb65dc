//! The toolchain for the datapath: a compiler with the source of the core library, and `bpf-linker`.
//!
//! If a nightly of rustup's with `rust-src` (or a toolchain that was linked here before) and `bpf-linker` are there,
//! they are used: a toolchain that works is never touched. What is missing is installed as `plan` says, by rustup or by
//! the distribution's packages; where neither can help, setup prints what to type.

use std::{path::Path, process::Command};

use anyhow::{Result, bail, ensure};

use super::{
    guide::by_hand,
    packages,
    plan::{Facts, plan},
    steps,
    versions::{LINKED, LINKER_PACKAGES, LLVM, NIGHTLY},
};
use crate::process::{capture, find as find_program, run, succeeds};

/// A toolchain that can build the datapath.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Toolchain {
    /// rustup's nightly of the day that setup installs.
    Pinned,
    /// Another nightly of rustup's.
    Nightly,
    /// Debian's, linked under [`LINKED`].
    Linked,
}

impl Toolchain {
    const ALL: [Self; 3] = [Self::Pinned, Self::Nightly, Self::Linked];

    /// Its name for rustup.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pinned => NIGHTLY,
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
///
/// Trap: a machine may have no lists of packages yet, or old ones, and so seem to be offered none of them.
pub fn install() -> Result<Toolchain> {
    if packages::has_apt() && packages::can_install() {
        // What is missing may yet be had otherwise.
        let _ = packages::update();
    }
    let linker = !has_linker();
    let is_good = |toolchain: &Toolchain| toolchain.has_core_source() && (!linker || toolchain.suits_our_linker());
    let compiler = Toolchain::ALL.into_iter().find(is_good);
    let facts = Facts {
        distribution: packages::distribution(),
        manager: packages::manager(),
        rustup: find_program("rustup").is_some(),
        compiler: compiler.is_some(),
        linker: !linker,
        llvm: LINKER_PACKAGES.iter().all(|package| packages::is_offered(package)),
        linker_package: packages::is_offered("bpf-linker"),
    };
    let Some(steps) = plan(&facts) else {
        bail!(
            "rustup is missing, which tells the compilers of user space and datapath apart, and this distribution has no \
             package of it.\n\n{}",
            by_hand()
        );
    };
    steps::take(&steps)?;
    let toolchain = compiler.or_else(|| Toolchain::ALL.into_iter().find(is_good)).unwrap_or(Toolchain::Linked);
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
        Toolchain::Pinned | Toolchain::Nightly => {
            run(Command::new("rustup").args(["component", "add", "clippy", "--toolchain", toolchain.name()]))
        }
        Toolchain::Linked => {
            packages::update()?;
            packages::install(&["rust-web-clippy"])
        }
    }
}

fn has_linker() -> bool {
    succeeds(Command::new("bpf-linker").arg("--version"))
}
