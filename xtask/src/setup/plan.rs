//! What to do about a toolchain for the datapath that is missing, by what there is. Pure.

use super::{
    distribution::{Distribution, Manager},
    versions::{LINKER_PACKAGES, PACKAGES},
};

/// What there is on a machine.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The distribution.
    pub distribution: Distribution,
    /// What installs its packages.
    pub manager: Option<Manager>,
    /// rustup.
    pub rustup: bool,
    /// A compiler with the source of the core library that fits the linker.
    pub compiler: bool,
    /// `bpf-linker`.
    pub linker: bool,
    /// The LLVM that Debian's `bpf-linker` is built with can be installed.
    pub llvm: bool,
    /// The distribution has a package of `bpf-linker`.
    pub linker_package: bool,
}

/// What is done, in this order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Install packages.
    Packages(Vec<&'static str>),
    /// Let the distribution's rustup set itself up.
    InitRustup,
    /// Install rustup's pinned nightly with `rust-src`.
    Nightly,
    /// Build `bpf-linker` with the LLVM of Debian's packages.
    BuildLinker,
    /// Fetch a `bpf-linker` that was built elsewhere.
    FetchLinker,
    /// Link Debian's compiler into rustup.
    Link,
}

/// The steps; `None`: nothing can be done here but to say what to type.
pub fn plan(facts: &Facts) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    // Packages of Debian 12 alone bring a compiler that fits; it has no package of rustup.
    let debian =
        facts.distribution == Distribution::Debian(Some(12)) && facts.manager == Some(Manager::Apt) && facts.llvm;
    if debian && facts.rustup {
        let packages = if facts.compiler { &LINKER_PACKAGES[..] } else { &PACKAGES[..] };
        let wanted = !facts.compiler || !facts.linker;
        steps.extend(wanted.then(|| Step::Packages(packages.to_vec())));
        steps.extend((!facts.linker).then_some(Step::BuildLinker));
        steps.extend((!facts.compiler).then_some(Step::Link));
        return Some(steps);
    }
    if !facts.rustup {
        steps.push(Step::Packages(rustup_packages(facts)?));
        // Debian's and Ubuntu's package is rustup itself; the others are its installer.
        steps.extend(matches!(facts.manager, Some(Manager::Dnf | Manager::Apk)).then_some(Step::InitRustup));
    }
    steps.extend((!facts.compiler).then_some(Step::Nightly));
    if !facts.linker {
        if facts.linker_package {
            steps.push(Step::Packages(vec!["bpf-linker"]));
        } else if facts.llvm && facts.manager == Some(Manager::Apt) {
            steps.extend([Step::Packages(LINKER_PACKAGES.to_vec()), Step::BuildLinker]);
        } else {
            steps.push(Step::FetchLinker);
        }
    }
    Some(steps)
}

/// The packages that bring rustup, and a linker for what it compiles.
fn rustup_packages(facts: &Facts) -> Option<Vec<&'static str>> {
    let packages = match (facts.distribution, facts.manager?) {
        // It has none.
        (Distribution::Debian(Some(..=12)), _) | (Distribution::Other, _) => return None,
        (_, Manager::Apt) => ["rustup", "build-essential"],
        (_, Manager::Dnf) => ["rustup", "gcc"],
        (_, Manager::Pacman) => ["rustup", "gcc"],
        (_, Manager::Apk) => ["rustup", "build-base"],
    };
    Some(packages.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{super::distribution::tests as os, *};

    fn bare(os_release: &str, manager: Option<Manager>) -> Facts {
        let distribution = Distribution::of(os_release);
        let (rustup, compiler, linker, llvm, linker_package) = (false, false, false, false, false);
        Facts { distribution, manager, rustup, compiler, linker, llvm, linker_package }
    }

    #[test]
    fn where_rustup_is_its_nightly_serves() {
        for (os_release, manager) in [
            (os::DEBIAN_13, Manager::Apt),
            (os::UBUNTU, Manager::Apt),
            (os::FEDORA, Manager::Dnf),
            (os::ARCH, Manager::Pacman),
            (os::ALPINE, Manager::Apk),
        ] {
            let facts = Facts { rustup: true, ..bare(os_release, Some(manager)) };
            assert_eq!(plan(&facts), Some(vec![Step::Nightly, Step::FetchLinker]), "{manager:?}");
            let facts = Facts { compiler: true, ..facts };
            assert_eq!(plan(&facts), Some(vec![Step::FetchLinker]), "{manager:?}");
            assert_eq!(plan(&Facts { linker: true, ..facts }), Some(vec![]), "{manager:?}");
        }
        // Also where nothing is known of the distribution.
        let facts = Facts { rustup: true, ..bare("ID=nixos", None) };
        assert_eq!(plan(&facts), Some(vec![Step::Nightly, Step::FetchLinker]));
    }

    #[test]
    fn elsewhere_the_distribution_brings_it() {
        for (os_release, manager, compiler, init) in [
            (os::DEBIAN_13, Manager::Apt, "build-essential", false),
            (os::UBUNTU, Manager::Apt, "build-essential", false),
            (os::FEDORA, Manager::Dnf, "gcc", true),
            (os::ARCH, Manager::Pacman, "gcc", false),
            (os::ALPINE, Manager::Apk, "build-base", true),
        ] {
            let mut expected = vec![Step::Packages(vec!["rustup", compiler])];
            expected.extend(init.then_some(Step::InitRustup));
            expected.extend([Step::Nightly, Step::FetchLinker]);
            assert_eq!(plan(&bare(os_release, Some(manager))), Some(expected), "{manager:?}");
        }
    }

    #[test]
    fn where_there_is_neither_setup_says_what_to_type() {
        assert_eq!(plan(&bare(os::DEBIAN_12, Some(Manager::Apt))), None);
        assert_eq!(plan(&bare("ID=nixos", None)), None);
        assert_eq!(plan(&bare("ID=void", Some(Manager::Dnf))), None);
        assert_eq!(plan(&bare(os::FEDORA, None)), None);
    }

    #[test]
    fn debian_12_has_a_compiler_among_its_packages() {
        let facts = Facts { rustup: true, llvm: true, ..bare(os::DEBIAN_12, Some(Manager::Apt)) };
        let all = vec![Step::Packages(PACKAGES.to_vec()), Step::BuildLinker, Step::Link];
        assert_eq!(plan(&facts), Some(all));
        let linker = vec![Step::Packages(LINKER_PACKAGES.to_vec()), Step::BuildLinker];
        assert_eq!(plan(&Facts { compiler: true, ..facts }), Some(linker));
        let compiler = vec![Step::Packages(PACKAGES.to_vec()), Step::Link];
        assert_eq!(plan(&Facts { linker: true, ..facts }), Some(compiler));
        assert_eq!(plan(&Facts { compiler: true, linker: true, ..facts }), Some(vec![]));
        // Without these packages rustup's nightly serves there as well.
        assert_eq!(plan(&Facts { llvm: false, ..facts }), Some(vec![Step::Nightly, Step::FetchLinker]));
    }

    #[test]
    fn a_linker_of_the_distribution_comes_first() {
        let arch = Facts { rustup: true, linker_package: true, ..bare(os::ARCH, Some(Manager::Pacman)) };
        assert_eq!(plan(&arch), Some(vec![Step::Nightly, Step::Packages(vec!["bpf-linker"])]));
        let ubuntu = Facts { rustup: true, llvm: true, ..bare(os::UBUNTU, Some(Manager::Apt)) };
        let built = vec![Step::Nightly, Step::Packages(LINKER_PACKAGES.to_vec()), Step::BuildLinker];
        assert_eq!(plan(&ubuntu), Some(built));
    }
}
