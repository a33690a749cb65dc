//! Reads the facts.
//!
//! Trap: /sys shows the network namespace that it was mounted in, not that of who looks; /proc/sys/net and the sockets are of
//! the thread that opens them. So nothing here comes from /sys/class/net.

use std::{fs, io, thread};

use anyhow::Result;

use super::facts::{Host, Instance};
use crate::{
    confirm,
    datapath::{Datapath, Error},
    netns,
};

pub mod nic;
pub mod server_side;
pub mod site;

/// The host.
pub fn host() -> Result<Host> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(Host {
        release: nix::sys::utsname::uname()?.release().to_string_lossy().into_owned(),
        btf: fs::exists("/sys/kernel/btf/vmlinux").unwrap_or_default(),
        bpffs: crate::datapath::store::pins::is_mounted(),
        capabilities: capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or_default(),
        jit: everywhere("bpf_jit_enable"),
        harden: everywhere("bpf_jit_harden"),
        cpus: cpus(),
    })
}

/// Those that are online, whatever this process may run on.
fn cpus() -> u32 {
    // SAFETY: takes a number.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// A setting that only the first network namespace shows: that of the first process, or of who called this command and had
/// it enter another.
fn everywhere(name: &str) -> Option<u32> {
    let read = || fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?.trim().parse().ok();
    let of = |process: i32| elsewhere(&format!("/proc/{process}/ns/net"), read)?;
    read().or_else(|| of(1)).or_else(|| of(nix::unistd::getppid().as_raw()))
}

/// Does something in another network namespace, on a thread of its own.
pub fn elsewhere<T: Send>(netns: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let entered = scope.spawn(|| netns::enter(netns).ok().map(|()| work()));
        entered.join().ok()?
    })
}

/// A setting of an interface, or of `all`.
pub fn setting(interface: &str, name: &str) -> io::Result<u32> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/{name}"))?;
    text.trim().parse().map_err(io::Error::other)
}

/// The larger one of an interface's and that of all, which is what the kernel goes by.
pub fn effective(interface: &str, name: &str) -> u32 {
    let read = |of| setting(of, name).unwrap_or_default();
    read("all").max(read(interface))
}

/// The instance, and what can be read of it.
pub fn instance(name: &str) -> Result<(Instance, Option<Datapath>)> {
    let datapath = match Datapath::open(name) {
        Ok(datapath) => datapath,
        Err(Error::NotRunning(_)) => return Ok((Instance::Missing, None)),
        Err(error) => return Ok((Instance::Unusable(error.to_string()), None)),
    };
    let unconfirmed = confirm::find(name)?.map(|found| (found.pending.left().as_secs(), found.waiting));
    let gone = datapath.links()?.iter().filter(|(_, link)| link.interface.is_none()).count();
    Ok((Instance::Running { standby: datapath.standby(), unconfirmed, gone }, Some(datapath)))
}
