//! The process that waits until a change is confirmed or its time is up.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::Flock;

use super::{
    record::{Pending, inode, read_any, remove, write},
    scope,
};
use crate::{
    config::model::Config,
    datapath::{Writer, store::private},
};

/// Has a change rolled back after `within`, whatever happens to this command. Call it before the change.
///
/// # Errors
///
/// The record cannot be written, or the process cannot be started. Then nothing is left behind.
pub fn begin(_lock: &Writer, instance: &str, before: &Config, within: Duration) -> Result<()> {
    let begin = || -> Result<()> {
        // That of an earlier change removes its record when it has noticed that this is settled.
        let former_is_gone = lock(instance)?;
        write(instance, &Pending::new(inode(instance)?, before, within))?;
        drop(former_is_gone);
        start_waiter(instance).inspect_err(|_| drop(remove(instance)))
    };
    begin().context("cannot start the process that would roll the change back; nothing was changed")
}

/// How long an earlier process may keep the lock after its change is settled.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes the lock of the process that waits.
fn lock(instance: &str) -> Result<Flock<File>> {
    let path = private::waiter_lock(instance);
    let lock = private::lock_within(&path, LOCK_TIMEOUT)?;
    lock.with_context(|| format!("{} is locked: another process waits", path.display()))
}

/// What has become of the change that a process waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Nobody has confirmed it.
    Waits,
    /// It is confirmed or undone, or its instance is gone.
    Settled,
}

/// The waiting process's hold on the change.
#[derive(Debug)]
pub struct Waiter {
    instance: String,
    /// The record as it was at first. Whatever happens to the file, this is rolled back to.
    pub pending: Pending,
    /// The file when it was last read: inode, time of its last change and length.
    seen: Option<(u64, i64, i64, u64)>,
    _lock: Flock<File>,
}

impl Waiter {
    /// Takes the lock, and notifies the command that started it on standard output.
    ///
    /// # Errors
    ///
    /// There is no record, or another process waits already.
    pub fn new(instance: &str) -> Result<Self> {
        let lock = lock(instance)?;
        let pending = read_any(instance)?.context("there is no change to wait for")?;
        io::stdout().write_all(b"!")?;
        io::stdout().flush()?;
        Ok(Self { instance: instance.to_owned(), pending, seen: None, _lock: lock })
    }

    /// What has become of the change. In doubt it waits: a record that is gone or cannot be read confirms nothing.
    pub fn fate(&mut self) -> Fate {
        if !self.pending.is_of(&self.instance) {
            return Fate::Settled;
        }
        let now = fs::metadata(private::pending(&self.instance)).ok();
        let now = now.map(|now| (now.ino(), now.mtime(), now.mtime_nsec(), now.len()));
        if now.is_none() || now == self.seen {
            return Fate::Waits;
        }
        match read_any(&self.instance) {
            Ok(Some(record)) if record.settled || !record.is(&self.pending) => Fate::Settled,
            Ok(Some(_)) => {
                self.seen = now;
                Fate::Waits
            }
            Ok(None) | Err(_) => Fate::Waits,
        }
    }

    /// Removes the record.
    pub fn remove_record(&self) -> Result<()> {
        remove(&self.instance)
    }

    /// Records why it could not be rolled back, for `status`, unless a command may be about to settle the change.
    pub fn record_problem(&mut self, problem: String) -> Result<()> {
        self.pending.problem = Some(problem);
        let lock = Writer::try_open(&self.instance);
        // An instance that cannot be opened at all cannot be opened by a command either.
        if matches!(lock, Ok(None)) || self.fate() == Fate::Settled {
            return Ok(());
        }
        write(&self.instance, &self.pending)
    }
}

/// Starts this program again as the waiting process, in the same network namespace, and returns when it waits.
fn start_waiter(instance: &str) -> Result<()> {
    let arguments = ["--instance", instance, "confirm", "--wait"];
    if let Some(command) = scope::command(&arguments) {
        match start(command) {
            Ok(()) => return Ok(()),
            Err(error) => log::debug!("not in its own control group: {error:#}"),
        }
    }
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments);
    start(command)
}

/// Starts a command in its own session, and returns when it has said that it waits.
fn start(mut command: Command) -> Result<()> {
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
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
