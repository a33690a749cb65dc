//! Packages of the distribution: installed, never removed, and not before it is shown what that means.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    distribution::{Distribution, Manager},
    simulation::Simulation,
};
use crate::process::{as_root, capture, find, is_root, run, succeeds};

/// Set by `--yes`.
static YES: AtomicBool = AtomicBool::new(false);

/// From now on nothing is asked.
pub fn assume_yes() {
    YES.store(true, Ordering::Relaxed);
}

/// This distribution.
pub fn distribution() -> Distribution {
    let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    Distribution::of(&text.unwrap_or_default())
}

/// What installs packages here.
pub fn manager() -> Option<Manager> {
    Manager::find(|program| find(program).is_some())
}

/// Whether packages are Debian's or Ubuntu's.
pub fn has_apt() -> bool {
    manager() == Some(Manager::Apt) && find("apt-cache").is_some()
}

/// Fetches apt's lists of packages anew.
pub fn update() -> Result<()> {
    run(&mut root(&["apt-get", "--quiet", "update"])?).context("the lists of packages cannot be had")
}

/// Those that the distribution has.
pub fn is_offered(package: &str) -> bool {
    let (program, arguments): (_, &[&str]) = match manager() {
        Some(Manager::Apt) => ("apt-cache", &["show", "--no-all-versions"]),
        Some(Manager::Dnf) => ("dnf", &["--quiet", "info"]),
        Some(Manager::Pacman) => ("pacman", &["--sync", "--info"]),
        // It succeeds in any case, and prints what it finds.
        Some(Manager::Apk) => {
            return capture(Command::new("apk").args(["search", "--exact", package]))
                .is_ok_and(|found| !found.is_empty());
        }
        None => return false,
    };
    succeeds(Command::new(program).args(arguments).arg(package))
}

/// Installs packages, after showing what that does, and asking on a terminal.
///
/// # Errors
///
/// There is nothing here that installs packages; others would have to be removed for them, as `rustc-web` conflicts
/// with a user's `rustc`; the user does not want it.
pub fn install(packages: &[&str]) -> Result<()> {
    install_around(packages, run)
}

/// Installs packages that bring a service, which is neither started nor enabled.
///
/// Trap: a package's script starts its service at once. A mask in /run keeps systemd from it and is gone with the next
/// boot at the latest; other init systems heed `RUNLEVEL`.
pub fn install_without_service(packages: &[&str], service: &str) -> Result<()> {
    if !Path::new("/run/systemd/system").exists() {
        return install(packages);
    }
    install_around(packages, |install| {
        println!("  (the service {service} is masked meanwhile and stays disabled)");
        run(as_root("systemctl")?.args(["mask", "--runtime", service]))?;
        let installed = run(install);
        run(as_root("systemctl")?.args(["unmask", "--runtime", service]))?;
        installed?;
        run(as_root("systemctl")?.args(["disable", service]))
    })
}

fn install_around(packages: &[&str], install: impl FnOnce(&mut Command) -> Result<()>) -> Result<()> {
    let Some(manager) = manager() else {
        bail!("there is no package manager here that setup knows; please install {}", packages.join(" "));
    };
    let mut command = root(manager.install())?;
    command.args(packages);
    show(manager, packages)?;
    confirm(&mut io::stdin().lock())?;
    install(&mut command)
}

/// Shows what would be done. Nothing may be removed.
fn show(manager: Manager, packages: &[&str]) -> Result<()> {
    if manager != Manager::Apt {
        // They say it for people, and dnf answers no for us by failing.
        let _ = simulation_of(manager, packages).status();
        return Ok(());
    }
    let simulated = simulate(packages)?;
    println!("apt would do this:\n{simulated}");
    ensure!(
        simulated.removed.is_empty(),
        "installing {} would remove {}; nothing was changed",
        packages.join(" "),
        simulated.removed.join(" ")
    );
    Ok(())
}

/// What apt would do to install these, removals included.
pub fn simulate(packages: &[&str]) -> Result<Simulation> {
    Ok(Simulation::read(&capture(&mut simulation_of(Manager::Apt, packages))?))
}

fn simulation_of(manager: Manager, packages: &[&str]) -> Command {
    let mut words = manager.simulate().iter().chain(packages);
    let mut simulate = Command::new(words.next().copied().unwrap_or_default());
    simulate.args(words).env("LC_ALL", "C");
    simulate
}

/// Asks on a terminal. Elsewhere, and with `--yes`, there is nobody to ask, and setup goes on.
fn confirm(input: &mut impl io::BufRead) -> Result<()> {
    let asks = io::stdin().is_terminal() && io::stdout().is_terminal();
    if YES.load(Ordering::Relaxed) || !asks {
        return Ok(());
    }
    print!("Go on? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    ensure!(is_yes(&answer), "nothing was installed; `cargo xtask setup --yes` does not ask");
    Ok(())
}

fn is_yes(answer: &str) -> bool {
    matches!(&*answer.trim().to_lowercase(), "y" | "yes")
}

/// Whether this user may install packages.
pub fn can_install() -> bool {
    is_root() || find("sudo").is_some()
}

/// Trap: sudo may clear the environment, so what apt is to see is set behind it.
fn root(words: &[&str]) -> Result<Command> {
    ensure!(can_install(), "packages can only be installed by root, and there is no sudo");
    let mut command = as_root("env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]).args(words);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_yes_is_yes() {
        assert!(["y\n", "Yes\n", " YES "].into_iter().all(is_yes));
        assert!(!["", "\n", "n\n", "no\n", "yeah\n", "ja\n"].into_iter().any(is_yes));
    }
}
