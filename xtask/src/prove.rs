//! `cargo xtask prove`: builds the datapath and what proves, optimised, and runs it.
//!
//! What proves is a crate of its own beside this one, `lb-prove`: it shares no code with the datapath.

use std::{
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    build,
    process::{self, cargo},
    setup::{self, Need},
};

/// What is proven; the prover takes the same.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only this program: balancer, balancer_frags, member, member_frags or steer
    #[arg(long, value_name = "PROGRAM")]
    only: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Plant faults in the object, one at a time (those with this word in their name), and fail unless each is refuted
    #[arg(long, value_name = "WORD", num_args = 0..=1, default_missing_value = "", conflicts_with = "json")]
    planted: Option<String>,
    /// Change so many instructions by chance, one at a time, and fail unless each change is refuted or proven harmless
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "planted"])]
    mutations: Option<u64>,
    /// Compare the prover's machine with the kernel on so many random frames and tables; needs root
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000",
        conflicts_with_all = ["json", "planted", "mutations"])]
    kernel: Option<u64>,
    /// Where random numbers begin
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Prove in one step, too, that the fast path decides as the general path does; takes minutes
    #[arg(long, conflicts_with_all = ["planted", "mutations", "kernel"])]
    direct: bool,
    /// Everything: the theorems, in one step as well, all planted faults, 300 mutations, 10,000 states in the kernel
    #[arg(long, conflicts_with_all = ["json", "planted", "mutations", "kernel", "only"])]
    all: bool,
    /// Note the digest of what is proven in lb-ebpf/PROVEN, for builds to compare with
    #[arg(long, conflicts_with_all = ["only", "object"])]
    note: bool,
    /// The datapath's object file; omitted: built first
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,
}

/// Builds, then becomes the prover.
pub fn run(options: &Options) -> Result<()> {
    setup::programs(&[Need::Prove])?;
    let mut build = cargo();
    process::run(build.args(["build", "--release", "--package", "lb-prove"]))?;
    let object = options.object.clone().map_or_else(build_object, Ok)?;
    let mut prover = Command::new(build::target_directory()?.join("release/lb-prove"));
    prover.arg(object);
    if let Some(only) = &options.only {
        prover.arg("--only").arg(only);
    }
    if options.json {
        prover.arg("--json");
    }
    if options.object.is_none() && options.only.is_none() {
        prover.arg("--noted").arg(process::root().join("lb-ebpf/PROVEN")).args(["--compiler", &compiler()?]);
    }
    for (flag, is_given) in [("--direct", options.direct), ("--note", options.note), ("--all", options.all)] {
        prover.args(is_given.then_some(flag));
    }
    let numbers = [("--mutations", options.mutations), ("--kernel", options.kernel), ("--seed", Some(options.seed))];
    for (flag, number) in numbers {
        prover.args(number.map(|number| [flag.to_owned(), number.to_string()]).into_iter().flatten());
    }
    if let Some(word) = &options.planted {
        prover.arg("--planted").arg(word);
    }
    let error = prover.exec();
    bail!("cannot run {}: {error}", process::shown(&prover))
}

/// What compiles the datapath: it decides which instructions come out.
fn compiler() -> Result<String> {
    let mut rustc = Command::new("rustc");
    if let Some(toolchain) = setup::toolchain()? {
        rustc.env("RUSTUP_TOOLCHAIN", toolchain.name());
    }
    let version = process::capture(rustc.arg("-vV"))?;
    let of = |what: &str| version.lines().find_map(|line| line.strip_prefix(what)).unwrap_or("?");
    Ok(format!("rustc {}, LLVM {}", of("release: "), of("LLVM version: ")))
}

/// The object that a build puts into the command: the same instructions in any build, which are always optimised. Tests
/// have made this one already. Cargo keeps those of other builds beside it, and says which one is of this.
fn build_object() -> Result<PathBuf> {
    ensure!(!setup::datapath_is_skipped(), "AYA_BUILD_SKIP is set: there is no datapath to prove anything of");
    let mut build = build::with_toolchain(cargo())?;
    build.args(["build", "--workspace", "--exclude", "lb-ebpf", "--message-format", "json-render-diagnostics"]);
    let messages = process::capture(build.stderr(Stdio::inherit()))?;
    directory(&messages).map(|directory| directory.join("lb-ebpf")).context("cargo does not say where the datapath is")
}

/// Where the build script of `lb-userspace` wrote to.
fn directory(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut scripts = messages.filter(|message| {
        message["reason"] == "build-script-executed"
            && message["package_id"].as_str().is_some_and(|package| package.contains("/lb-userspace#"))
    });
    scripts.next().and_then(|message| message["out_dir"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_datapath_is_where_cargo_says() {
        let message = |package: &str| {
            format!(
                r#"{{"reason":"build-script-executed","package_id":"path+file:///a/{package}#0.1.0","out_dir":"/b/{package}"}}"#
            )
        };
        let messages = [message("libc"), "no message".to_owned(), message("lb-userspace")].join("\n");
        assert_eq!(directory(&messages), Some(PathBuf::from("/b/lb-userspace")));
        assert_eq!(directory(&message("lb-bench")), None);
    }
}
