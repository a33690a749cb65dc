//! What to type where setup cannot help.

use super::versions::{BPF_LINKER, LINKED, LLVM_PREFIX, PACKAGES};

/// The commands, for any distribution and for Debian.
pub fn by_hand() -> String {
    format!(
        "On a machine with rustup (https://rustup.rs) type:\n\n    \
         rustup toolchain install nightly --component rust-src,clippy\n    \
         cargo install cargo-binstall && cargo binstall bpf-linker\n\n\
         (or put a bpf-linker from https://github.com/aya-rs/bpf-linker/releases on the PATH),\n\
         and on Debian 12 without access to rustup's servers, as root:\n\n    \
         apt-get update && apt-get install --no-install-recommends build-essential {}\n    \
         LLVM_PREFIX={LLVM_PREFIX} cargo install bpf-linker --version {BPF_LINKER} --no-default-features --features llvm-22\n    \
         rustup toolchain link {LINKED} /usr\n\n\
         and then again what you typed. User space alone builds without: AYA_BUILD_SKIP=1",
        PACKAGES.join(" ")
    )
}
