//! What the datapath's toolchain is made of: names and versions that must fit together.

/// The rustup toolchain that stands for Debian's compiler.
pub const LINKED: &str = "modlb-ebpf";

/// rustup's nightly for the datapath: its LLVM is that of `bpf-linker`.
pub const NIGHTLY: &str = "nightly-2026-05-20";

/// Trap: `rustc` and `bpf-linker` must be made for the same major version of LLVM.
pub const PACKAGES: [&str; 7] =
    ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev"];

/// Those of them that `bpf-linker` is built with.
pub const LINKER_PACKAGES: [&str; 4] = ["llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev"];

/// Where Debian keeps that LLVM.
pub const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Its major version.
pub const LLVM: u32 = 22;

/// The version of `bpf-linker`.
pub const BPF_LINKER: &str = "0.13.0";

/// The newest `cargo-binstall` that user space's compiler builds; it fetches `bpf-linker`.
pub const BINSTALL: &str = "1.24.0";
