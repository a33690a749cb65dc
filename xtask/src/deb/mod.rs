//! `cargo xtask deb`: a package for Debian and its derivatives, made with `dpkg-deb` alone.

mod control;
mod install;
mod load;
mod machine;
mod network;
mod sources;
mod tree;
mod trial;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::{
    sources::{DIRECTORY, epoch},
    tree::Tree,
};
use crate::{
    build,
    process::{as_root, capture, is_root, root, run as run_program},
    setup::{self, Need},
};

/// How much of the agent's unit is open to attack, by `systemd-analyze security`: 0 to 10, and no more than this.
const MOST_EXPOSURE: &str = "30";

/// How the command in the package is built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Profile {
    /// Optimised.
    #[default]
    Release,
    /// Built quickly, to try the package itself.
    Dev,
}

/// `cargo xtask deb`.
#[derive(Args, Debug)]
pub struct Options {
    /// How the command in it is built
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Install, start, upgrade under load, remove and purge it, in a machine of namespaces that is gone afterwards
    #[arg(long)]
    test: bool,
    /// The command to pack; omitted: built first
    #[arg(long, value_name = "PATH", hide = true)]
    modlb: Option<PathBuf>,
    /// Only test, as root: this package, the next version's, the command that was packed
    #[arg(long, num_args = 3, value_name = "PATH", hide = true)]
    tried: Option<Vec<PathBuf>>,
}

/// Builds the package, prints where it is, and tests it if that is asked for.
pub fn run(options: &Options) -> Result<()> {
    if let Some([package, next, modlb]) = options.tried.as_deref() {
        return trial::run(package, next, modlb);
    }
    setup::programs(&[Need::Package])?;
    let modlb = match &options.modlb {
        Some(path) => path.clone(),
        None => build::in_profile(options.profile == Profile::Release)?,
    };
    let version = version()?;
    let package = pack(&modlb, &version, "xz")?;
    println!("{}", capture(Command::new("dpkg-deb").args(["--info"]).arg(&package))?.trim_end());
    check_exposure()?;
    println!("{} ({} KiB)", package.display(), fs::metadata(&package)?.len() / 1_024);
    if options.test {
        // The same files under a later version: whoever upgrades comes from a package of the same ABI.
        let next = pack(&modlb, &format!("{version}+next"), "none")?;
        let tried = try_as_root(&package, &next, &modlb);
        fs::remove_file(next)?;
        tried?;
    }
    Ok(())
}

/// The version of the workspace.
fn version() -> Result<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.context("Cargo.toml names no version")?.to_owned())
}

/// Builds a package of this version around a command.
fn pack(modlb: &Path, version: &str, compression: &str) -> Result<PathBuf> {
    let directory = root().join(DIRECTORY);
    let tree = Tree::new(directory.join("tree"))?;
    install::everything(&tree, modlb, version)?;
    let architecture = capture(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    control::write(&tree, version, &architecture)?;
    let package = directory.join(format!("modlb_{version}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", &format!("-Z{compression}"), "--build"]).arg(tree.root()).arg(&package);
    // Files are as old as the last commit: the same sources make the same package.
    capture(build.env("SOURCE_DATE_EPOCH", epoch()?))?;
    Ok(package)
}

/// Prints what `systemd-analyze security` thinks of the unit.
fn check_exposure() -> Result<()> {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSURE]);
    let unit = root().join(DIRECTORY).join("tree/usr/lib/systemd/system").join(install::UNIT);
    let judged = capture(analyze.arg(unit)).context("the agent's unit is too exposed")?;
    match judged.lines().find(|line| line.contains("exposure level")) {
        Some(line) => println!("{}", line.trim_start_matches(['→', ' '])),
        None => bail!("systemd-analyze security says no level: {judged}"),
    }
    Ok(())
}

fn try_as_root(package: &Path, next: &Path, modlb: &Path) -> Result<()> {
    setup::programs(&[Need::Machine])?;
    if is_root() {
        return trial::run(package, next, modlb);
    }
    println!("The test needs root for its namespaces; sudo may ask for your password.");
    let mut again = as_root(env::current_exe()?)?;
    run_program(again.args(["deb", "--tried"]).args([package, next, modlb]))
}
