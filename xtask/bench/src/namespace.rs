//! Network namespaces that are removed on drop.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::command::capture;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace, with loopback up.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `label` only helps to recognise it.
    pub fn new(label: &str) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("modlb-bench-{}-{number}-{label}", std::process::id());
        capture(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// As `ip netns list` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file by which it can be entered.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Runs `ip` in it.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        capture(Command::new("ip").args(["-netns", &self.name]).args(arguments.split(' '))).map(drop)
    }

    /// Sets a value under /proc/sys.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.within(|| fs::write(&path, value).with_context(|| format!("cannot write {}", path.display())))
    }

    /// A program in it. Unlike `ip netns exec`, this does not change file systems, so pins stay.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program);
        command
    }

    /// Does something in it on a new thread, since a thread enters a namespace only for itself.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = File::open(self.path()).with_context(|| format!("cannot open {}", self.path().display()))?;
        let enter = || {
            setns(file, CloneFlags::CLONE_NEWNET)?;
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join()).map_err(|_| anyhow!("a thread in {} panicked", self.name))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = capture(Command::new("ip").args(["netns", "del", &self.name])) {
            eprintln!("warning: {error:#}");
        }
    }
}
