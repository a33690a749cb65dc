//! What the privileged tests share: network namespaces, frames, and the modlb command.
#![allow(dead_code, reason = "every test crate uses its own part of this")]

pub mod bench;
pub mod capture;
pub mod cluster;
pub mod documents;
pub mod frame;
pub mod modlb;
pub mod namespace;
pub mod network;
pub mod nft;
pub mod paced;
pub mod routers;
pub mod vlan_switch;
pub mod wait;

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

/// Returns from a test that cannot run here.
#[macro_export]
macro_rules! need_root {
    () => {
        if !$crate::support::privileged() {
            return;
        }
    };
}
