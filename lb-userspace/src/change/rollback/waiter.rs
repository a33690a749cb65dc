//! The process that waits for a change to be confirmed or its time to be over.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};

use super::record::{DIRECTORY, Pending, find, inode, path, write};
use crate::{config::model::Config, datapath::Writer};

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
    pub fn complain(&mut self, mut pending: Pending, problem: String) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        pending.problem = Some(problem);
        let text = serde_json::to_string(&pending)?;
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
