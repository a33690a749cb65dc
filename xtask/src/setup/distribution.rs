//! Which distribution this is, and what installs its packages. Pure.

/// A distribution that setup knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Distribution {
    /// Debian of this version; `None`: testing or unstable.
    Debian(Option<u32>),
    /// Ubuntu and what is made of it.
    Ubuntu,
    /// Fedora and its kin.
    Fedora,
    /// Arch Linux and what is made of it.
    Arch,
    /// Alpine Linux.
    Alpine,
    /// Any other.
    Other,
}

/// What installs packages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manager {
    /// Debian's and Ubuntu's.
    Apt,
    /// Fedora's.
    Dnf,
    /// Arch Linux's.
    Pacman,
    /// Alpine Linux's.
    Apk,
}

impl Distribution {
    /// What os-release(5) says.
    pub fn of(os_release: &str) -> Self {
        let value = |key: &str| {
            let values = os_release.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            values.map(|value| value.trim_matches(['"', '\''])).next().unwrap_or_default()
        };
        let version = value("VERSION_ID").split('.').next().and_then(|version| version.parse().ok());
        let names = std::iter::once(value("ID")).chain(value("ID_LIKE").split_whitespace());
        let known = |name: &str| match name {
            "debian" => Some(Self::Debian(version)),
            "ubuntu" => Some(Self::Ubuntu),
            "fedora" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            "alpine" => Some(Self::Alpine),
            _ => None,
        };
        // Derivatives count their versions as they like.
        let found = names.clone().find_map(known).unwrap_or(Self::Other);
        if matches!(found, Self::Debian(_)) && value("ID") != "debian" { Self::Debian(None) } else { found }
    }
}

impl Manager {
    /// Every one, with the program that says that it is there.
    const ALL: [(Self, &str); 4] =
        [(Self::Apt, "apt-get"), (Self::Dnf, "dnf"), (Self::Pacman, "pacman"), (Self::Apk, "apk")];

    /// The one that is there.
    pub fn find(is_there: impl Fn(&str) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, program)| is_there(program)).map(|(manager, _)| manager)
    }

    /// The command that installs packages and never removes any: `--no-remove` where that must be said. dnf removes
    /// only with `--allowerasing`; pacman asks, and `--noconfirm` answers no.
    pub const fn install(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &["apt-get", "--quiet", "--yes", "install", "--no-install-recommends", "--no-remove"],
            Self::Dnf => &["dnf", "--assumeyes", "install", "--setopt=install_weak_deps=False"],
            Self::Pacman => &["pacman", "--sync", "--needed", "--noconfirm"],
            Self::Apk => &["apk", "add"],
        }
    }

    /// The command that says what that would do; apt's names what would have to go, which then is not installed.
    pub const fn simulate(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &["apt-get", "--quiet", "--simulate", "install", "--no-install-recommends"],
            Self::Dnf => &["dnf", "--assumeno", "install", "--setopt=install_weak_deps=False"],
            Self::Pacman => &["pacman", "--sync", "--needed", "--print"],
            Self::Apk => &["apk", "add", "--simulate"],
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const DEBIAN_12: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
    pub const DEBIAN_13: &str = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\nID=debian\n";
    pub const UBUNTU: &str = "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\nID_LIKE=debian\n";
    pub const FEDORA: &str = "NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=43\n";
    pub const ARCH: &str = "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n";
    pub const ALPINE: &str = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.22.1\n";

    #[test]
    fn distributions_are_known_by_os_release() {
        for (text, expected) in [
            (DEBIAN_12, Distribution::Debian(Some(12))),
            (DEBIAN_13, Distribution::Debian(Some(13))),
            ("ID=debian\nVERSION_CODENAME=forky\n", Distribution::Debian(None)),
            (UBUNTU, Distribution::Ubuntu),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"22\"\n", Distribution::Ubuntu),
            ("ID=raspbian\nID_LIKE=debian\nVERSION_ID=\"12\"\n", Distribution::Debian(None)),
            (FEDORA, Distribution::Fedora),
            ("ID='rocky'\nID_LIKE='rhel centos fedora'\nVERSION_ID='10.0'\n", Distribution::Fedora),
            (ARCH, Distribution::Arch),
            ("ID=manjaro\nID_LIKE=arch\n", Distribution::Arch),
            (ALPINE, Distribution::Alpine),
            ("ID=nixos\n", Distribution::Other),
            ("", Distribution::Other),
        ] {
            assert_eq!(Distribution::of(text), expected, "{text}");
        }
    }

    #[test]
    fn no_manager_is_told_to_remove() {
        for (manager, program) in Manager::ALL {
            assert_eq!(Manager::find(|name| name == program), Some(manager));
            let words = manager.install().join(" ");
            assert!(!["erasing", "remove ", "autoremove", "purge"].iter().any(|word| words.contains(word)), "{words}");
        }
        assert!(Manager::Apt.install().contains(&"--no-remove"));
        assert_eq!(Manager::find(|_| false), None);
    }
}
