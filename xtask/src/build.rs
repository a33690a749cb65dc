//! `cargo xtask build`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    process::{self, capture, cargo, root},
    setup,
};

/// Tells `lb-userspace/build.rs` which toolchain builds the datapath.
pub const TOOLCHAIN: &str = "MODLB_EBPF_TOOLCHAIN";

/// Builds the command and returns where it is.
pub fn run() -> Result<PathBuf> {
    in_profile(true)
}

/// The same, optimised or quickly.
pub fn in_profile(release: bool) -> Result<PathBuf> {
    let mut build = with_toolchain(cargo())?;
    build.args(["build", "--package", "lb-userspace"]);
    if release {
        build.arg("--release");
    }
    process::run(&mut build)?;
    Ok(target_directory()?.join(if release { "release/modlb" } else { "debug/modlb" }))
}

/// A cargo that builds the datapath with the toolchain that is there.
pub fn with_toolchain(mut cargo: Command) -> Result<Command> {
    if let Some(toolchain) = setup::toolchain()? {
        cargo.env(TOOLCHAIN, toolchain.name());
    }
    Ok(cargo)
}

/// Where cargo builds.
pub fn target_directory() -> Result<PathBuf> {
    let metadata = capture(cargo().args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(root()))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let directory = metadata["target_directory"].as_str().context("cargo does not say where it builds")?;
    Ok(directory.into())
}
