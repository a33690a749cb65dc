//! Changes that are taken back unless somebody confirms them.
//!
//! Before such a change is made, what is in force goes to a file in `/run/modlb`, and a process of a session of its own
//! starts to wait: it survives the terminal, the connection and the command. Being there is a lock on that file, which the
//! kernel lets go of however a process ends; so a record that nobody waits for is recognised as such.
//!
//! Who changes the file, or acts by it, holds the instance's lock. Thus a confirmation and a rollback cannot both happen.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::IpAddr,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
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

#[cfg(test)]
mod tests;

/// Where the records are: it is empty after a start of the system, and so is the BPF file system.
const DIRECTORY: &str = "/run/modlb";

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
    fn new(instance: u64, before: &Config, within: Duration) -> Self {
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

/// To be called before a change: from then on it is taken back after `within`, whatever becomes of this command.
///
/// # Errors
///
/// The record cannot be written, or nobody can be made to wait. Then nothing is left of either.
pub fn begin(_lock: &Writer, instance: &str, before: &Config, within: Duration) -> Result<()> {
    let pending = Pending::new(inode(instance)?, before, within);
    let path = path(instance);
    write(&path, &pending).with_context(|| format!("writing {}", path.display()))?;
    let started = start_waiter(instance);
    if started.is_err() {
        let _ = fs::remove_file(&path);
    }
    started.context("cannot start the process that would roll the change back; nothing was changed")
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

/// Who waits for a change to be confirmed or its time to be over.
#[derive(Debug)]
pub struct Waiter {
    instance: String,
    file: Flock<File>,
}

impl Waiter {
    /// Begins to wait, and tells the command that started it on standard output.
    ///
    /// # Errors
    ///
    /// There is nothing to wait for, or somebody who waits already.
    pub fn new(instance: &str) -> Result<Self> {
        let file = File::options().read(true).write(true).open(path(instance))?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
        io::stdout().write_all(b"!")?;
        io::stdout().flush()?;
        Ok(Self { instance: instance.to_owned(), file })
    }

    /// What it waits for; `None`: it is settled, or the instance is gone.
    pub fn pending(&self) -> Option<Pending> {
        if !self.is_there() {
            return None;
        }
        find(&self.instance).ok()?.map(|found| found.pending)
    }

    /// Removes a record that nobody removed because its instance went.
    pub fn forget(&self) -> Result<()> {
        if self.is_there() {
            fs::remove_file(path(&self.instance))?;
            let _ = fs::remove_dir(DIRECTORY);
        }
        Ok(())
    }

    /// Whether the record is still the one that it waits for.
    fn is_there(&self) -> bool {
        let ours = self.file.metadata().map(|found| found.ino());
        let there = fs::metadata(path(&self.instance)).map(|found| found.ino());
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// Has others see why it could not be taken back.
    pub fn complain(&mut self, pending: Pending, problem: String) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        let text = serde_json::to_string(&Pending { problem: Some(problem), ..pending })?;
        self.file.set_len(text.len() as u64)?;
        Ok(self.file.write_all_at(text.as_bytes(), 0)?)
    }
}

/// Starts this program anew as the one who waits, and returns when it does. It keeps the network namespace.
fn start_waiter(instance: &str) -> Result<()> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--instance", instance, "confirm", "--wait"]).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: setsid(2) is one of the calls that a child may make between fork and exec.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) };
    let mut child = command.spawn()?;
    let mut answer = Vec::new();
    child.stdout.take().context("no pipe")?.take(1).read_to_end(&mut answer)?;
    if answer != b"!" {
        bail!("it ended at once ({})", child.wait()?);
    }
    Ok(())
}

fn write(path: &Path, pending: &Pending) -> io::Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_string(pending)?)?;
    fs::rename(new, path)
}

fn path(instance: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{instance}.pending"))
}

fn inode(instance: &str) -> io::Result<u64> {
    Ok(fs::metadata(Pins::new(instance).directory())?.ino())
}

/// The time since the system started, sleep included: nobody sets that clock.
fn now() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in what it is given. It knows this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
