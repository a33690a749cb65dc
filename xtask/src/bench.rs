//! `cargo xtask bench`: builds the datapath and its benchmark, optimised, and runs the benchmark.
//!
//! The benchmark is a separate crate beside this one, `lb-bench`: it depends on the datapath, and the other tasks
//! must not wait for that to be built.

use std::{os::unix::process::CommandExt as _, path::PathBuf};

use anyhow::{Result, bail, ensure};

use crate::{
    build,
    process::{self, as_root, cargo},
    setup::{self, Need},
};

/// What is measured, and what becomes of it; the benchmark takes the same.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Fewer and shorter rounds: under two minutes
    #[arg(long)]
    quick: bool,
    /// One part alone: program, scaling, paths, packets, control, keep or servers
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Where the JSON and the charts are written; omitted: docs/benchmarks, if everything was measured at full length
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Say what got slower than in this earlier run beyond noise, and fail if anything did
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// Builds, then becomes the benchmark.
pub fn run(options: &Options) -> Result<()> {
    ensure!(!setup::datapath_is_skipped(), "AYA_BUILD_SKIP is set: there is no datapath to measure");
    setup::programs(&[Need::Test])?;
    let directory = build()?;
    let mut bench = as_root(directory.join("lb-bench"))?;
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(only) = &options.only {
        bench.arg("--only").arg(only);
    }
    if let Some(directory) = &options.out {
        bench.arg("--out").arg(directory);
    }
    if let Some(file) = &options.compare {
        bench.arg("--compare").arg(file);
    }
    // In place of this process, so that Ctrl-C and the exit status are the benchmark's own.
    let error = bench.arg("--modlb").arg(directory.join("modlb")).exec();
    bail!("cannot run {}: {error}", process::shown(&bench))
}

/// Both by one call, since cargo would build what they share twice for two: with other features for each. Returns where
/// they are.
fn build() -> Result<PathBuf> {
    let mut build = build::with_toolchain(cargo())?;
    process::run(build.args(["build", "--release", "--package", "lb-userspace", "--package", "lb-bench"]))?;
    Ok(build::target_directory()?.join("release"))
}
