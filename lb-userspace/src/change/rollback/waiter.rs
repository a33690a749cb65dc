//! The process that waits until a change is confirmed or its time is up.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::record::{DIRECTORY, Pending, find, inode, path, write};
use crate::{config::model::Config, datapath::Writer};

/// Has a change rolled back after `within`, whatever happens to this command. Call it before the change.
///
/// # Errors
///
/// The record cannot be written, or the process cannot be started. Then nothing is left behind.
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

/// How long a reader may keep the record's lock; it looks at the record for a moment. Another waiter keeps it for good.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the lock is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// Takes the lock for good.
///
/// # Errors
///
/// Another process keeps it for longer than `timeout`.
pub(super) fn lock(mut file: File, timeout: Duration) -> Result<Flock<File>> {
    let start = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EWOULDBLOCK)) if start.elapsed() < timeout => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        thread::sleep(LOCK_INTERVAL);
    }
}

/// The waiting process's hold on the record.
#[derive(Debug)]
pub struct Waiter {
    instance: String,
    file: Flock<File>,
}

impl Waiter {
    /// Locks the record, and notifies the command that started it on standard output.
    ///
    /// # Errors
    ///
    /// There is no record, or another process waits already.
    pub fn new(instance: &str) -> Result<Self> {
        let file = File::options().read(true).write(true).open(path(instance))?;
        let file = lock(file, LOCK_TIMEOUT)?;
        io::stdout().write_all(b"!")?;
        io::stdout().flush()?;
        Ok(Self { instance: instance.to_owned(), file })
    }

    /// The change that it waits for; `None`: it is settled, or the instance is gone.
    pub fn pending(&self) -> Option<Pending> {
        if !self.is_there() {
            return None;
        }
        find(&self.instance).ok()?.map(|found| found.pending)
    }

    /// Removes the record, which stays if its instance was removed.
    pub fn remove_record(&self) -> Result<()> {
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

    /// Records why it could not be rolled back, for `status`.
    pub fn record_problem(&mut self, mut pending: Pending, problem: String) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        pending.problem = Some(problem);
        let text = serde_json::to_string(&pending)?;
        self.file.set_len(text.len() as u64)?;
        Ok(self.file.write_all_at(text.as_bytes(), 0)?)
    }
}

/// Starts this program again as the waiting process, in the same network namespace, and returns when it waits.
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
