//! What the datapath's toolchain is made of: names and versions that must fit together.

/// The rustup toolchain that stands for Debian's compiler.
pub const LINKED: &str = "modlb-ebpf";

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
