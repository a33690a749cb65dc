//! What to type where setup cannot help.

use super::versions::{BINSTALL, BPF_LINKER, LINKED, LLVM_PREFIX, NIGHTLY, PACKAGES};

/// The commands, for any distribution and for Debian.
pub fn by_hand() -> String {
    format!(
        "On a machine with rustup (https://rustup.rs) type:\n\n    \
         rustup toolchain install {NIGHTLY} --profile minimal --component rust-src --component clippy\n    \
         cargo install cargo-binstall@{BINSTALL} --locked && cargo binstall bpf-linker@{BPF_LINKER}\n\n\
         (rustup is in packages of Debian 13, Ubuntu, Fedora, Arch Linux and Alpine: `rustup`; Fedora's and Alpine's is the \
         installer: `rustup-init -y --default-toolchain none`)\n\
         (or put a bpf-linker from https://github.com/aya-rs/bpf-linker/releases on the PATH),\n\
         and on Debian 12 without access to rustup's servers, as root:\n\n    \
         apt-get update && apt-get install --no-remove --no-install-recommends build-essential {}\n    \
         LLVM_PREFIX={LLVM_PREFIX} cargo install bpf-linker --version {BPF_LINKER} --no-default-features --features llvm-22\n    \
         rustup toolchain link {LINKED} /usr\n\n\
         and then again what you typed. User space alone builds without: AYA_BUILD_SKIP=1",
        PACKAGES.join(" ")
    )
}
