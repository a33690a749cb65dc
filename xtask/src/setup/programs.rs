//! The programs that tests and the demonstration run.

use anyhow::{Result, bail};

use super::packages;
use crate::process::find;

/// What a program is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask test` and `bench`.
    Test,
    /// `cargo xtask test --kernel`.
    Emulator,
    /// `cargo xtask lint`.
    Lint,
    /// `cargo xtask fuzz`.
    Fuzz,
    /// `cargo xtask deb`.
    Package,
    /// `cargo xtask deb --test`.
    Machine,
    /// `cargo xtask prove`.
    Prove,
}

/// A program.
struct Program {
    name: &'static str,
    package: &'static str,
    needed_by: &'static [Need],
    /// What its package starts when it is installed.
    service: Option<&'static str>,
}

const BOTH: &[Need] = &[Need::Demo, Need::Test];

const PROGRAMS: [Program; 27] = [
    Program::new("ip", "iproute2", &[Need::Demo, Need::Test, Need::Machine]),
    Program::new("nsenter", "util-linux", &[Need::Demo, Need::Test, Need::Machine]),
    Program::new("setpriv", "util-linux", BOTH),
    Program::new("ethtool", "ethtool", BOTH),
    Program::new("curl", "curl", BOTH),
    Program { service: Some("nginx.service"), ..Program::new("nginx", "nginx-light", &[Need::Demo]) },
    Program { service: Some("keepalived.service"), ..Program::new("keepalived", "keepalived", BOTH) },
    Program::new("nft", "nftables", BOTH),
    Program::new("tc", "iproute2", &[Need::Test]),
    // With it comes promtool.
    Program { service: Some("prometheus.service"), ..Program::new("prometheus", "prometheus", &[Need::Test]) },
    Program::new("chromium", "chromium", &[Need::Test]),
    Program::new("tmux", "tmux", &[Need::Test]),
    Program::new("bpftool", "bpftool", &[Need::Test]),
    Program::new("tshark", "tshark", &[Need::Test]),
    Program::new("qemu-system-x86_64", "qemu-system-x86", &[Need::Emulator]),
    Program::new("busybox", "busybox-static", &[Need::Emulator]),
    Program::new("cpio", "cpio", &[Need::Emulator]),
    Program::new("xz", "xz-utils", &[Need::Emulator]),
    Program::new("codespell", "codespell", &[Need::Lint]),
    Program::new("c++", "g++", &[Need::Fuzz]),
    Program::new("dpkg-deb", "dpkg", &[Need::Package]),
    Program::new("dpkg-shlibdeps", "dpkg-dev", &[Need::Package]),
    Program::new("strip", "binutils", &[Need::Emulator, Need::Package]),
    Program::new("systemd-analyze", "systemd", &[Need::Package]),
    Program::new("debootstrap", "debootstrap", &[Need::Machine]),
    Program::new("unshare", "util-linux", &[Need::Machine]),
    Program::new("z3", "z3", &[Need::Test, Need::Prove]),
];

impl Program {
    const fn new(name: &'static str, package: &'static str, needed_by: &'static [Need]) -> Self {
        Self { name, package, needed_by, service: None }
    }

    fn is_missing(&self) -> bool {
        find(self.name).is_none()
    }
}

/// Installs the programs that are missing.
pub fn install(needs: &[Need]) -> Result<()> {
    let wanted = PROGRAMS.iter().filter(|program| program.needed_by.iter().any(|need| needs.contains(need)));
    let missing: Vec<_> = wanted.filter(|program| program.is_missing()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|program| program.name).collect();
    let names = names.join(", ");
    if !packages::has_apt() {
        bail!("these programs are missing: {names}; please install them");
    }
    println!("Installing programs that tests and the demonstration run: {names}");
    packages::update()?;
    for program in &missing {
        match program.service {
            None => packages::install(&[program.package])?,
            Some(service) => packages::install_without_service(&[program.package], service)?,
        }
    }
    match missing.iter().find(|program| program.is_missing()) {
        None => Ok(()),
        Some(program) => bail!("package {} was installed, but it has no {}", program.package, program.name),
    }
}
