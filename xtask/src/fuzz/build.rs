//! The fuzzers: built by cargo-fuzz, but run directly, so that their output can be followed.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::target::{CRATE, Target};
use crate::{
    build::target_directory,
    process::{self, capture},
};

/// Builds all of them.
pub fn all() -> Result<()> {
    println!("fuzz: building");
    let mut build = Command::new("cargo");
    build
        .args(["fuzz", "build", "--fuzz-dir", CRATE, "--codegen-units", "4", "--target-dir"])
        .arg(target_directory()?.join("fuzz"))
        // This has a release compiler accept unstable options; a nightly one does anyway.
        .env("RUSTC_BOOTSTRAP", "1")
        // Optimising across crates takes minutes, for a fuzzer that is hardly faster.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        // The same for libFuzzer itself.
        .env("CXXFLAGS", "-O1 -g0")
        .env_remove("CARGO")
        .env_remove("RUSTC");
    if !has_address_sanitizer()? {
        println!("WARNING: this compiler has no AddressSanitizer: reads beyond an input's end will not be noticed");
        build.args(["--sanitizer", "none"]);
    }
    process::run(&mut build)
}

/// The fuzzer of a target.
pub fn binary(target: Target) -> Result<Command> {
    let mut binary = Command::new(target_directory()?.join("fuzz").join(host()?).join("release").join(target.name()));
    // As cargo-fuzz sets it.
    binary.env("ASAN_OPTIONS", "detect_odr_violation=0");
    Ok(binary)
}

fn host() -> Result<String> {
    let version = capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it runs on")?.to_owned())
}

/// Not every compiler comes with the runtime.
fn has_address_sanitizer() -> Result<bool> {
    let libraries = capture(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let files = Path::new(libraries.trim()).read_dir().context("the compiler's libraries cannot be listed")?;
    Ok(files.flatten().any(|file| file.file_name().to_string_lossy().ends_with("_rt.asan.a")))
}
