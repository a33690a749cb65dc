//! The record of a change that is not confirmed yet.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read as _},
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use lb_common::mac::Mac;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        file,
        model::{ByHand, Config, Role, ServerMac},
    },
    datapath::{
        Writer,
        store::{pins::Pins, private},
    },
};

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
    /// Servers that were taken down by hand until the next file. Those for longer stay so whatever is put in force.
    #[serde(default)]
    by_hand: Vec<(String, IpAddr)>,
    /// Why it could not be rolled back in time.
    pub problem: Option<String>,
    /// It is confirmed, or undone, and the process that waits has not noticed yet.
    #[serde(default)]
    pub settled: bool,
}

/// A change that is not confirmed yet.
#[derive(Debug)]
pub struct Found {
    /// The record, or why it cannot be read.
    pub record: Result<Pending>,
    /// Whether a process is alive that rolls it back.
    pub waiting: bool,
}

impl Found {
    /// How long until it is rolled back, if the record says so.
    pub fn left(&self) -> Option<Duration> {
        self.record.as_ref().ok().map(Pending::left)
    }

    /// Why it could not be rolled back in time, or why its record cannot be read.
    pub fn problem(&self) -> Option<String> {
        match &self.record {
            Ok(pending) => pending.problem.clone(),
            Err(error) => Some(format!("{error:#}")),
        }
    }
}

impl Pending {
    /// Records the configuration in force.
    pub(super) fn new(instance: u64, before: &Config, within: Duration) -> Self {
        let servers = before.services.iter().flat_map(|service| service.servers.iter().map(move |s| (service, s)));
        let by_hand = servers.clone().filter(|(_, server)| server.health.by_hand == Some(ByHand::NextFile));
        let by_hand = by_hand.map(|(service, server)| (service.name.clone(), server.address)).collect();
        let found = servers.filter_map(|(service, server)| match server.mac {
            ServerMac::Resolved { mac, on: _ } => Some((service.name.clone(), server.address, mac.0)),
            ServerMac::Given(_) | ServerMac::Unresolved => None,
        });
        Self {
            instance,
            deadline: now() + within,
            before: file::write(before),
            role: before.role.name().to_owned(),
            found: found.collect(),
            by_hand,
            problem: None,
            settled: false,
        }
    }

    /// The former configuration, with the MACs that had been found, so that a server that is silent now does not
    /// prevent the rollback.
    pub fn before(&self) -> Result<Config> {
        let roles = [Role::Balancer, Role::Member, Role::Steer, Role::Keep];
        let role = roles.into_iter().find(|role| role.name() == self.role);
        let mut config = file::read_back(&self.before, role)?;
        let found: HashMap<_, _> =
            self.found.iter().map(|(service, address, mac)| ((service.as_str(), *address), Mac(*mac))).collect();
        for service in &mut config.services {
            for server in &mut service.servers {
                if let Some(mac) = found.get(&(service.name.as_str(), server.address)) {
                    server.mac = ServerMac::Resolved { mac: *mac, on: 0 };
                }
            }
        }
        for (service, address) in &self.by_hand {
            let servers = config.service_mut(service).into_iter().flat_map(|service| &mut service.servers);
            for server in servers.filter(|server| server.address == *address) {
                server.health.by_hand = Some(ByHand::NextFile);
            }
        }
        Ok(config)
    }

    /// How long until it is rolled back; zero when it is time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_sub(now())
    }

    /// Whether it is of the instance that runs under this name. In doubt it is.
    pub(super) fn is_of(&self, instance: &str) -> bool {
        inode(instance).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |inode| inode == self.instance)
    }

    /// Whether two records are of the same change.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.instance, self.deadline) == (other.instance, other.deadline)
    }
}

/// The unconfirmed change of an instance.
///
/// # Errors
///
/// Whether there is one cannot be found out: the directory cannot be trusted.
pub fn find(instance: &str) -> Result<Option<Found>> {
    let waiting = private::has_agent(instance)? || is_waited_for(instance);
    let Some(record) = read(instance).transpose() else { return Ok(None) };
    Ok(Some(Found { record, waiting }))
}

/// Whether the process is alive that was started to wait.
pub(super) fn is_waited_for(instance: &str) -> bool {
    private::is_locked(&private::waiter_lock(instance))
}

/// Reads the record of an instance's unconfirmed change.
///
/// # Errors
///
/// It cannot be read. That confirms nothing.
pub(super) fn read(instance: &str) -> Result<Option<Pending>> {
    Ok(read_any(instance)?.filter(|pending| !pending.settled && pending.is_of(instance)))
}

/// The same if it is settled, or of a former instance.
pub(super) fn read_any(instance: &str) -> Result<Option<Pending>> {
    let path = private::pending(instance);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| anyhow!("{}: not a record of modlb ({error})", path.display()))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Refuses to change an instance while a change is not confirmed, as a rollback would undo both.
///
/// # Errors
///
/// A change is not confirmed, and what to do about it.
pub fn refuse(instance: &str) -> Result<()> {
    const CURE: &str = "`modlb confirm` keeps it, `modlb confirm --undo` rolls it back";
    let Some(found) = find(instance)? else { return Ok(()) };
    match (&found.record, found.waiting) {
        (Ok(pending), true) => bail!(
            "a change is not confirmed yet and will be rolled back in {} s; {CURE} at once",
            pending.left().as_secs()
        ),
        (Ok(_), false) => {
            bail!("a change is not confirmed, and the process that would roll it back is gone; {CURE}")
        }
        (Err(error), true) => bail!(
            "a change is not confirmed yet, and will be rolled back although its record cannot be read ({error:#}); \
             `modlb confirm` keeps it"
        ),
        (Err(error), false) => bail!(
            "a change is not confirmed, and its record cannot be read ({error:#}); `modlb confirm` keeps what is in force"
        ),
    }
}

/// Notes that a change is confirmed or undone. Nobody rolls it back any more, and the process that waits, if there is
/// one, removes the record.
///
/// # Errors
///
/// The record cannot be replaced or removed.
pub fn settle(_lock: &Writer, instance: &str) -> Result<()> {
    let waiter = private::waiter_lock(instance);
    loop {
        if let Some(_lock) = private::try_lock(&waiter)? {
            return remove(instance);
        }
        // Otherwise it was a command that looked whether a process waits.
        if is_waited_for(instance) {
            let settled = Pending::new(inode(instance)?, &Config::default(), Duration::ZERO);
            write(instance, &Pending { settled: true, ..settled })?;
            wait_for_end(instance);
            return Ok(());
        }
    }
}

/// Waits until the process that waited has removed the record, so that nothing is left when a command ends. One that is
/// stopped does so later.
fn wait_for_end(instance: &str) {
    const LONGEST: Duration = Duration::from_secs(2);
    const INTERVAL: Duration = Duration::from_millis(10);
    let start = Instant::now();
    while is_waited_for(instance) && start.elapsed() < LONGEST {
        thread::sleep(INTERVAL);
    }
}

/// Removes the record and the file that the waiting process locks, whose lock the caller has.
pub(super) fn remove(instance: &str) -> Result<()> {
    let path = private::pending(instance);
    let removed = fs::remove_file(&path);
    let _ = fs::remove_file(private::waiter_lock(instance));
    // Fails while there are records of other instances.
    private::remove_if_empty();
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("removing {}", path.display())),
    }
}

/// Replaces the record atomically. It has the whole configuration, so only root can read it.
pub(super) fn write(instance: &str, pending: &Pending) -> Result<()> {
    Ok(private::write(&private::pending(instance), &serde_json::to_string(pending)?)?)
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
