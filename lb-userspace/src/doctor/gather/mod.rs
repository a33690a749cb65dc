//! Reads the facts.
//!
//! Trap: /sys shows the network namespace that it was mounted in, not the reader's; /proc/sys/net and sockets belong to
//! the thread that opens them. So nothing here comes from /sys/class/net.

use std::fs;

use anyhow::Result;

use super::facts::{HostFacts, Instance};
use crate::{
    datapath::{Datapath, Error, store::bpffs},
    net::namespaces::within,
};

mod keep;
pub mod nic;
pub mod server_side;
mod settings;
pub mod site;

/// The host.
pub fn host() -> Result<HostFacts> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(HostFacts {
        release: nix::sys::utsname::uname()?.release().to_string_lossy().into_owned(),
        btf: fs::exists("/sys/kernel/btf/vmlinux").unwrap_or_default(),
        bpffs: bpffs::is_mounted(),
        own_mounts: bpffs::not_shared(),
        capabilities: capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or_default(),
        jit: everywhere("bpf_jit_enable"),
        harden: everywhere("bpf_jit_harden"),
        cpus: cpus(),
    })
}

/// Online CPUs, whichever of them this process may use.
fn cpus() -> u32 {
    // SAFETY: takes a number.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// A setting that only the initial network namespace shows: it is tried here, in the first process's namespace, and in
/// that of the caller, which may have had this command enter another.
fn everywhere(name: &str) -> Option<u32> {
    let read = || fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?.trim().parse().ok();
    let of = |process: i32| within(&format!("pid:{process}"), read).ok()?;
    read().or_else(|| of(1)).or_else(|| of(nix::unistd::getppid().as_raw()))
}

/// The instance, and its datapath if readable. `unconfirmed`: seconds until a change is rolled back, and whether a
/// process waits to do so.
pub fn instance(name: &str, unconfirmed: Option<(u64, bool)>) -> Result<(Instance, Option<Datapath>)> {
    let datapath = match Datapath::open(name) {
        Ok(datapath) => datapath,
        Err(Error::NotRunning(_)) => return Ok((Instance::Missing, None)),
        Err(error) => return Ok((Instance::Unusable(error.to_string()), None)),
    };
    Ok((Instance::Running { standby: datapath.standby(), unconfirmed, differences: Vec::new() }, Some(datapath)))
}
