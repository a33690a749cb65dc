//! The record of a change that is not confirmed yet.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use lb_common::mac::Mac;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        file,
        model::{Config, Role, ServerMac},
    },
    datapath::{Writer, store::pins::Pins},
};

/// The directory of the records. Like the BPF file system, it is empty after a reboot.
pub(super) const DIRECTORY: &str = "/run/modlb";

/// A change that is not confirmed yet.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pending {
    /// The inode of the instance's directory, which tells instances of the same name apart.
    instance: u64,
    /// When it is rolled back, as time since boot.
    deadline: Duration,
    /// The former configuration, as a configuration file.
    before: String,
    /// The role of the instance, which the file may leave out.
    role: String,
    /// The MACs that had been found, in the order of services and servers.
    found: Vec<(String, IpAddr, [u8; 6])>,
    /// Why it could not be rolled back in time.
    pub problem: Option<String>,
}

/// A change that is not confirmed yet, and whether a process waits for it.
#[derive(Debug)]
pub struct Found {
    /// The record.
    pub pending: Pending,
    /// Whether a process is alive that rolls it back.
    pub waiting: bool,
}

impl Pending {
    /// Records the configuration in force.
    pub(super) fn new(instance: u64, before: &Config, within: Duration) -> Self {
        let servers = before.services.iter().flat_map(|service| service.servers.iter().map(move |s| (service, s)));
        let found = servers.filter_map(|(service, server)| match server.mac {
            ServerMac::Resolved(mac) => Some((service.name.clone(), server.address, mac.0)),
            ServerMac::Given(_) | ServerMac::Unresolved => None,
        });
        Self {
            instance,
            deadline: now() + within,
            before: file::write(before),
            role: before.role.name().to_owned(),
            found: found.collect(),
            problem: None,
        }
    }

    /// The former configuration, with the MACs that had been found, so that a server that is silent now does not
    /// prevent the rollback.
    pub fn before(&self) -> Result<Config> {
        let roles = [Role::Balancer, Role::Member, Role::Steer];
        let role = roles.into_iter().find(|role| role.name() == self.role);
        let mut config = file::parse_for(&self.before, role)?;
        for (service, address, mac) in &self.found {
            let servers = config.service_mut(service).into_iter().flat_map(|service| &mut service.servers);
            for server in servers.filter(|server| server.address == *address) {
                server.mac = ServerMac::Resolved(Mac(*mac));
            }
        }
        Ok(config)
    }

    /// How long until it is rolled back; zero when it is time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_sub(now())
    }
}

/// The unconfirmed change of an instance.
///
/// # Errors
///
/// There is a record that cannot be read.
pub fn find(instance: &str) -> Result<Option<Found>> {
    let path = path(instance);
    let what = || format!("reading {}", path.display());
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what),
    };
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(what)?;
    let pending: Pending =
        serde_json::from_str(&text).with_context(|| format!("{}: not a record of modlb; remove it", path.display()))?;
    if inode(instance).ok() != Some(pending.instance) {
        return Ok(None);
    }
    let waiting = Flock::lock(file, FlockArg::LockSharedNonblock).is_err();
    Ok(Some(Found { pending, waiting }))
}

/// Refuses to change an instance while a change is not confirmed, as a rollback would undo both.
///
/// # Errors
///
/// A change is not confirmed, and what to do about it.
pub fn refuse(instance: &str) -> Result<()> {
    match find(instance)? {
        None => Ok(()),
        Some(Found { pending, waiting: true }) => bail!(
            "a change is not confirmed yet and will be rolled back in {} s; `modlb confirm` keeps it, `modlb confirm --undo` \
             rolls it back at once",
            pending.left().as_secs()
        ),
        Some(Found { waiting: false, .. }) => bail!(
            "a change is not confirmed, and the process that would roll it back is gone; `modlb confirm` keeps it, \
             `modlb confirm --undo` rolls it back"
        ),
    }
}

/// Removes the record. The waiting process notices that and ends.
///
/// # Errors
///
/// The record cannot be removed.
pub fn settle(_lock: &Writer, instance: &str) -> Result<()> {
    let path = path(instance);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    // Fails while there are records of other instances.
    let _ = fs::remove_dir(DIRECTORY);
    Ok(())
}

/// Replaces the record atomically.
pub(super) fn write(path: &Path, pending: &Pending) -> io::Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_string(pending)?)?;
    fs::rename(new, path)
}

/// The path of an instance's record.
pub(super) fn path(instance: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{instance}.pending"))
}

/// The inode of an instance's directory.
pub(super) fn inode(instance: &str) -> io::Result<u64> {
    Ok(fs::metadata(Pins::new(instance).directory())?.ino())
}

/// The time since boot, suspend included. Unlike the wall clock, it is never set.
fn now() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the `timespec`, and it has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
