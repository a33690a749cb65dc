//! Builds the programs that modlb is compared with, as `lb-userspace/build.rs` builds the datapath.

use std::{env, process::Command};

use anyhow::Result;
use aya_build::{Package, Toolchain};

/// The toolchain that `cargo xtask setup` links where rustup's nightly has no source of the core library.
const LINKED: &str = "modlb-ebpf";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed=MODLB_EBPF_TOOLCHAIN");
    println!("cargo:rerun-if-changed=../../lb-common/src");
    println!("cargo::rustc-check-cfg=cfg(without_datapath)");
    if env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true")) {
        println!("cargo:rustc-cfg=without_datapath");
    }
    let toolchain = toolchain();
    if toolchain == LINKED {
        // With this variable a release compiler accepts unstable options as a nightly one does.
        // SAFETY: this process has no other threads yet.
        unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    }
    for (setting, value) in [("LTO", "false"), ("CODEGEN_UNITS", "16"), ("STRIP", "none")] {
        // SAFETY: as above.
        unsafe { env::set_var(format!("CARGO_PROFILE_RELEASE_{setting}"), value) };
    }
    aya_build::build_ebpf(
        [Package { name: "lb-ebpf", root_dir: "../../lb-ebpf", features: &["bench"], ..Package::default() }],
        Toolchain::Custom(&toolchain),
    )
}

fn toolchain() -> String {
    env::var("MODLB_EBPF_TOOLCHAIN").unwrap_or_else(|_| {
        let linked = Command::new("rustup").args(["run", LINKED, "rustc", "-vV"]).output();
        let name = if linked.is_ok_and(|output| output.status.success()) { LINKED } else { "nightly" };
        name.to_owned()
    })
}
