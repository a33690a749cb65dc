//! What the privileged tests share: network namespaces, frames, and the modlb command.
#![allow(dead_code, reason = "every test crate uses its own part of this")]

pub mod bench;
pub mod capture;
pub mod cluster;
pub mod container;
pub mod documents;
pub mod frame;
pub mod modlb;
pub mod namespace;
pub mod network;
pub mod nft;
pub mod paced;
pub mod routers;
pub mod two_links;
pub mod vlan_switch;
pub mod wait;
pub mod wire;

/// Whether tests that load programs can run here. Where `CI` is true they must; elsewhere skipping them prints why.
pub fn privileged() -> bool {
    let reason = if cfg!(without_datapath) {
        "this was built with AYA_BUILD_SKIP"
    } else if !nix::unistd::geteuid().is_root() {
        "this is not root"
    } else {
        return true;
    };
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    // A build that leaves the datapath out on purpose cannot test it, not even there.
    assert!(!ci || cfg!(without_datapath), "CI=true, but {reason}");
    eprintln!("SKIPPED: {reason}, so nothing of the datapath was tested here");
    false
}

/// The kernel's major and minor version.
pub fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.trim().parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Whether the kernel has programs for frames in several buffers. Where it has none, a test leaves those frames out.
pub fn several_buffers() -> bool {
    let has = kernel() >= (5, 18);
    if !has {
        eprintln!("SKIPPED: frames in several buffers, for which Linux below 5.18 has no programs");
    }
    has
}

/// Returns from a test that cannot run here.
#[macro_export]
macro_rules! need_root {
    () => {
        if !$crate::support::privileged() {
            return;
        }
    };
}
