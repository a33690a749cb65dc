//! The record of a change that nobody has confirmed yet.

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

/// Where the records are: it is empty after a start of the system, and so is the BPF file system.
pub(super) const DIRECTORY: &str = "/run/modlb";

/// A change that nobody has confirmed yet.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Pending {
    /// The inode of the instance's directory: another instance of the same name is not meant.
    instance: u64,
    /// When it is taken back, by the clock that counts from the start of the system.
    deadline: Duration,
    /// What was in force before, as a file says it.
    before: String,
    /// The role of the instance, which the file may leave out.
    role: String,
    /// The MACs of servers that had been found, in the order of services and servers.
    found: Vec<(String, IpAddr, [u8; 6])>,
    /// Why it could not be taken back, though it was time.
    pub problem: Option<String>,
}

/// A change that nobody has confirmed yet, and who waits for it.
#[derive(Debug)]
pub struct Found {
    /// What is known of it.
    pub pending: Pending,
    /// Whether a process is there that takes it back.
    pub waiting: bool,
}

impl Pending {
    /// Takes down what is in force.
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

    /// What was in force before, with the MACs that had been found: a server that is silent now is no reason not to go
    /// back to it.
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

    /// How long until it is taken back; zero when it is time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_sub(now())
    }
}

/// The change of an instance that nobody has confirmed yet.
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
    let pending: Pending = serde_json::from_str(&text)
        .with_context(|| format!("{}: not a record of modlb's; remove it", path.display()))?;
    if inode(instance).ok() != Some(pending.instance) {
        return Ok(None);
    }
    let waiting = Flock::lock(file, FlockArg::LockSharedNonblock).is_err();
    Ok(Some(Found { pending, waiting }))
}

/// Refuses to change an instance while a change is not confirmed: what would be gone back to then?
///
/// # Errors
///
/// It says what is to be done first.
pub fn refuse(instance: &str) -> Result<()> {
    match find(instance)? {
        None => Ok(()),
        Some(Found { pending, waiting: true }) => bail!(
            "a change is not confirmed yet and will be rolled back in {} s; `modlb confirm` keeps it, `modlb confirm --undo` \
             takes it back at once",
            pending.left().as_secs()
        ),
        Some(Found { waiting: false, .. }) => bail!(
            "a change is not confirmed, and the process that would roll it back is gone; `modlb confirm` keeps it, \
             `modlb confirm --undo` takes it back"
        ),
    }
}

/// Ends the wait. The process that waits notices, and ends too.
///
/// # Errors
///
/// The record cannot be removed.
pub fn settle(_lock: &Writer, instance: &str) -> Result<()> {
    let path = path(instance);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    // Other instances' records may still be there; then it stays.
    let _ = fs::remove_dir(DIRECTORY);
    Ok(())
}

/// Replaces the record as a whole.
pub(super) fn write(path: &Path, pending: &Pending) -> io::Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_string(pending)?)?;
    fs::rename(new, path)
}

/// Where the record of an instance is.
pub(super) fn path(instance: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{instance}.pending"))
}

/// The inode of an instance's directory.
pub(super) fn inode(instance: &str) -> io::Result<u64> {
    Ok(fs::metadata(Pins::new(instance).directory())?.ino())
}

/// The time since the system started, sleep included: nobody sets that clock.
fn now() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in what it is given. It knows this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
