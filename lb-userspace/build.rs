//! Builds the datapath for the BPF target and hands its object file to the crate.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

/// What a proof is about; the prover calculates it as well.
#[path = "../xtask/prove/src/code_digest.rs"]
mod code_digest;

/// The digests that `cargo xtask prove` has noted, one a line.
const PROVEN: &str = "../lb-ebpf/PROVEN";

/// The toolchain that `cargo xtask setup` links where rustup's nightly has no source of the core library.
const LINKED: &str = "modlb-ebpf";

/// The object files of the datapath, as `datapath/attach/object.rs` includes them.
const OBJECTS: [&str; 2] = ["lb-ebpf", "lb-ebpf-trace"];

/// The nightly that it installs where rustup has one.
const PINNED: &str = "nightly-2026-05-20";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed=MODLB_EBPF_TOOLCHAIN");
    println!("cargo:rerun-if-changed=../lb-common/src");
    println!("cargo::rustc-check-cfg=cfg(without_datapath)");
    if skipped() {
        println!("cargo:rustc-cfg=without_datapath");
    }
    let toolchain = toolchain();
    if toolchain == LINKED {
        // A release compiler is as good as a nightly one once it is told that unstable options are meant.
        // SAFETY: nothing else runs in this process yet.
        unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    }
    // The profile's settings are those of the command. The datapath's linker does this itself, and takes the kernel's
    // type information from what would be stripped.
    for (setting, value) in [("LTO", "false"), ("CODEGEN_UNITS", "16"), ("STRIP", "none")] {
        // SAFETY: as above.
        unsafe { env::set_var(format!("CARGO_PROFILE_RELEASE_{setting}"), value) };
    }
    aya_build::build_ebpf(
        [Package { name: "lb-ebpf", root_dir: "../lb-ebpf", ..Package::default() }],
        Toolchain::Custom(&toolchain),
    )?;
    if !skipped() {
        let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo gives no OUT_DIR")?);
        OBJECTS.iter().try_for_each(|name| strip(&out.join(name)))?;
        return say_what_is_proven(&out.join(OBJECTS[0]));
    }
    say("there is no datapath in this build", "", false);
    Ok(())
}

/// Whether the datapath that was just built is one of those that were proven. Another compiler makes another one.
fn say_what_is_proven(object: &Path) -> Result<()> {
    println!("cargo:rerun-if-changed={PROVEN}");
    println!("cargo:rerun-if-changed=../xtask/prove/src/code_digest.rs");
    let digest = code_digest::digest(&fs::read(object)?, &code_digest::PROVEN_PROGRAMS)?;
    let noted = fs::read_to_string(PROVEN).with_context(|| format!("reading {PROVEN}"))?;
    let is_proven = noted.lines().any(|line| line.split_whitespace().next() == Some(&*digest));
    let what = if is_proven { "datapath proven (docs/PROOF.md)" } else { "datapath not proven (docs/PROOF.md)" };
    say(&format!("{what}, digest {digest}"), &digest, is_proven);
    Ok(())
}

fn say(sentence: &str, digest: &str, is_proven: bool) {
    println!("cargo::rustc-env=MODLB_DATAPATH={sentence}");
    println!("cargo::rustc-env=MODLB_DATAPATH_DIGEST={digest}");
    println!("cargo::rustc-env=MODLB_DATAPATH_PROVEN={is_proven}");
}

/// Removes the debugger's sections, most of an object. The kernel's type information (BTF), which was made from them,
/// stays.
fn strip(path: &Path) -> Result<()> {
    let strip = || -> Result<()> {
        let object = fs::read(path)?;
        let mut builder = Builder::read(&*object)?;
        for section in &mut builder.sections {
            section.delete = section.name.starts_with(b".debug_") || section.name.starts_with(b".rel.debug_");
        }
        builder.delete_orphans();
        // LLVM puts the names of sections among those of symbols.
        let names = builder.sections.add();
        (names.name, names.sh_type) = (b".shstrtab"[..].into(), SHT_STRTAB);
        names.data = SectionData::SectionString;
        let mut stripped = Vec::new();
        builder.write(&mut stripped)?;
        Ok(fs::write(path, stripped)?)
    };
    strip().with_context(|| format!("stripping {}", path.display()))
}

fn skipped() -> bool {
    env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

fn toolchain() -> String {
    env::var("MODLB_EBPF_TOOLCHAIN").unwrap_or_else(|_| {
        let is_there = |name: &&str| {
            // Trap: otherwise asking for an absent toolchain would install it.
            let mut rustup = Command::new("rustup");
            let asked = rustup.args(["run", name, "rustc", "-vV"]).env("RUSTUP_AUTO_INSTALL", "0").output();
            asked.is_ok_and(|output| output.status.success())
        };
        [LINKED, PINNED].into_iter().find(is_there).unwrap_or("nightly").to_owned()
    })
}
