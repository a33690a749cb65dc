//! The BPF file system: mounts it where that lasts, and says why a command does not see it.
//!
//! Trap: what is pinned in a BPF file system ends with its last mount, and mounts that only this process has end with
//! it. `ip netns exec` makes such mounts, and so does systemd for units with private mounts.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use nix::{
    mount::{MsFlags, mount},
    sys::{
        stat::{major, minor},
        statfs::statfs,
    },
};

use super::{
    mounts::{View, view},
    private::{self, RUN},
};
use crate::{
    datapath::error::{Error, Result},
    net::{namespaces, shell::quoted},
};

/// Where the BPF file system is.
pub(in crate::datapath) const BPFFS: &str = "/sys/fs/bpf";

/// Linux's `BPF_FS_MAGIC`.
const BPFFS_MAGIC: i64 = 0xcafe_4a11;

/// Whether the BPF file system is mounted.
pub fn is_mounted() -> bool {
    statfs(BPFFS).is_ok_and(|found| found.filesystem_type().0 == BPFFS_MAGIC)
}

/// Mounts it, for root only.
pub(in crate::datapath) fn mount_it() -> Result<()> {
    // Without the option anybody may make directories in it, and open them.
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), Some("mode=0700"))
        .map_err(Error::errno(format!("mounting the BPF file system at {BPFFS}")))
}

/// Mounts it if it is not mounted.
///
/// # Errors
///
/// [`Error::EndsWithCommand`]: what is pinned would not outlive this command.
pub(super) fn prepare() -> Result<()> {
    let mounted = is_mounted();
    match look() {
        View::Shared | View::Unknown { propagated: true } => {}
        View::Private { there } => return Err(Error::EndsWithCommand(way_out(there))),
        View::Unknown { propagated: false } if mounted => log::warn!(
            "the first process's mounts are hidden from this one: if {BPFFS} is mounted for this process only, what it \
             attaches ends with it"
        ),
        View::Unknown { propagated: false } => return Err(Error::EndsWithCommand(way_out(false))),
    }
    if mounted { Ok(()) } else { mount_once() }
}

/// Trap: if two commands find nothing mounted, the second would mount over what the first has pinned meanwhile. Hence
/// the lock, and the second check.
fn mount_once() -> Result<()> {
    let path = Path::new(RUN).join("mount.lock");
    let lock = private::lock(&path)?;
    if is_mounted() {
        let _ = fs::remove_file(path);
        return Ok(());
    }
    log::info!("mounting the BPF file system at {BPFFS}");
    if nix::unistd::getpid().as_raw() == 1 {
        log::warn!(
            "this process is the first of its container: what it attaches ends with it, unless the container is given \
             the host's {BPFFS}"
        );
    }
    let mounted = mount_it();
    let _ = fs::remove_file(path);
    drop(lock);
    private::remove_if_empty();
    mounted
}

/// Why an instance cannot be seen from here, although it may run; `None`: it does not run.
pub(super) fn hidden(instance: &str) -> Option<Error> {
    matches!(look(), View::Private { there: true })
        .then(|| Error::Hidden { instance: instance.to_owned(), way_out: way_out(true) })
}

/// What a diagnosis says about it: why other processes do not see this process's BPF file system.
pub fn not_shared() -> Option<String> {
    match look() {
        View::Private { there } => Some(way_out(there)),
        View::Shared | View::Unknown { .. } => None,
    }
}

fn look() -> View {
    let device = fs::metadata(BPFFS).ok().filter(|_| is_mounted()).map(|found| found.dev());
    let device = device.map(|device| (major(device) as u32, minor(device) as u32));
    let own = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    let first = fs::read_to_string("/proc/1/mountinfo").ok();
    // Without /proc nothing is known.
    let first = first.filter(|_| !own.is_empty());
    view(&own, first.as_deref(), BPFFS, device)
}

/// What to do instead. `there`: the first process has a BPF file system.
fn way_out(there: bool) -> String {
    let (mut ways, first) = (Vec::new(), "nsenter --mount=/proc/1/ns/mnt --");
    if let Some(name) = namespaces::current_name() {
        let name = quoted(&name);
        ways.push(format!("instead of `ip netns exec {name} modlb …` use `modlb --netns {name} …`"));
    }
    ways.push(if there {
        format!("run it with everybody's mounts: `{first} modlb …`")
    } else {
        format!("first mount it for everybody: `{first} mount -t bpf -o mode=0700 bpf {BPFFS}`")
    });
    ways.join(", or ")
}
