//! The programs that tests and the demonstration run.

use anyhow::{Result, bail};

use super::{distribution::Manager, packages, unpacked};
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
    Program { service: Some("nginx.service"), ..Program::new("nginx", "nginx-light", BOTH) },
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

    /// Whether it can only be had unpacked: a machine may have a newer release's `qemu-utils`, say, which this
    /// release's QEMU would push out.
    fn must_be_unpacked(&self) -> Result<bool> {
        let is_of_emulator = self.needed_by == [Need::Emulator];
        Ok(is_of_emulator && !packages::simulate(&[self.package])?.removed.is_empty())
    }
}

/// Names of packages that are not Debian's: for dnf, pacman, apk. All others have Debian's name.
const OTHER_NAMES: [(&str, [&str; 3]); 9] = [
    ("iproute2", ["iproute", "iproute2", "iproute2"]),
    ("nginx-light", ["nginx", "nginx", "nginx"]),
    ("bpftool", ["bpftool", "bpf", "bpftool"]),
    ("tshark", ["wireshark-cli", "wireshark-cli", "tshark"]),
    ("qemu-system-x86", ["qemu-system-x86-core", "qemu-system-x86", "qemu-system-x86_64"]),
    ("busybox-static", ["busybox", "busybox", "busybox-static"]),
    ("xz-utils", ["xz", "xz", "xz"]),
    ("g++", ["gcc-c++", "gcc", "g++"]),
    ("dpkg-dev", ["dpkg-dev", "dpkg", "dpkg-dev"]),
];

/// What to type where setup installs no programs: other packages may start services that nobody wants.
fn by_hand(manager: Option<Manager>, missing: &[&Program]) -> String {
    let column = match manager {
        Some(Manager::Dnf) => 0,
        Some(Manager::Pacman) => 1,
        Some(Manager::Apk) => 2,
        Some(Manager::Apt) | None => return "please install them".to_owned(),
    };
    let name = |package: &'static str| {
        OTHER_NAMES.iter().find(|(debian, _)| *debian == package).map_or(package, |(_, names)| names[column])
    };
    let mut packages: Vec<_> = missing.iter().map(|program| name(program.package)).collect();
    packages.sort_unstable();
    packages.dedup();
    let command = manager.map(Manager::install).unwrap_or_default().join(" ");
    format!("as root: {command} {}", packages.join(" "))
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
        bail!("these programs are missing: {names}; {}", by_hand(packages::manager(), &missing));
    }
    println!("Installing programs that tests and the demonstration run: {names}");
    packages::update()?;
    // All that start nothing at once: one list to look at, and one question.
    let mut plain = Vec::new();
    for program in missing.iter().filter(|program| program.service.is_none()) {
        if program.must_be_unpacked()? {
            unpacked::unpack(program.package, program.name)?;
        } else {
            plain.push(program.package);
        }
    }
    if !plain.is_empty() {
        packages::install(&plain)?;
    }
    for program in &missing {
        if let Some(service) = program.service {
            packages::install_without_service(&[program.package], service)?;
        }
    }
    match missing.iter().find(|program| program.is_missing()) {
        None => Ok(()),
        Some(program) => bail!("package {} was installed, but it has no {}", program.package, program.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_other_names_elsewhere() {
        let missing: Vec<_> =
            PROGRAMS.iter().filter(|program| ["ip", "tc", "tshark", "curl"].contains(&program.name)).collect();
        let typed = |manager| by_hand(Some(manager), &missing);
        assert!(
            typed(Manager::Dnf)
                .ends_with("dnf --assumeyes install --setopt=install_weak_deps=False curl iproute wireshark-cli")
        );
        assert!(typed(Manager::Pacman).ends_with("--noconfirm curl iproute2 wireshark-cli"));
        assert_eq!(typed(Manager::Apk), "as root: apk add curl iproute2 tshark");
        assert!(OTHER_NAMES.iter().all(|(debian, _)| PROGRAMS.iter().any(|program| program.package == *debian)));
    }
}
