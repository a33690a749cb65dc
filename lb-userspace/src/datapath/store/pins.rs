//! Where everything is pinned, and the lock that admits one writer at a time.
//!
//! Trap: the lock is on the instance's directory, which `detach` removes. So a command that gets the lock checks that
//! the directory is still the one under that name. Whoever can open the directory can hold the lock, so only root can
//! (see `private`).

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};

use super::{
    bpffs::{self, BPFFS},
    private,
};

use crate::datapath::{
    error::{Error, Result},
    kill_point,
};

/// How long a writer waits for another.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it tries.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// How long [`Pins::claim`] tries: [`Pins::is_claimed`] holds the lock for a moment.
const CLAIM_TIMEOUT: Duration = Duration::from_millis(200);

/// The pins of one instance.
#[derive(Clone, Debug)]
pub struct Pins {
    instance: String,
    directory: PathBuf,
}

/// The lock of an instance. The kernel releases it when the command ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _directory: Flock<File>,
}

/// Identifies a state of an instance's pins and of the records of its interfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// The directory's inode: another one means another instance of the same name.
    pub inode: u64,
    /// When a pin last came or went. Trap: the BPF file system's clock stands still for some milliseconds.
    pub changed: (i64, i64),
    /// A digest of the records.
    pub ports: u64,
}

impl Pins {
    /// The pins of the instance of this name, whether they exist or not.
    pub fn new(instance: &str) -> Self {
        Self { instance: instance.to_owned(), directory: Path::new(BPFFS).join("modlb").join(instance) }
    }

    /// Pins that belong to no instance, in a directory of this name next to that of the instances.
    pub fn outside(name: &str) -> Self {
        Self { instance: name.to_owned(), directory: Path::new(BPFFS).join(name) }
    }

    /// The pins of the same instance while an upgrade makes it again, where no other command looks for instances.
    pub fn beside(&self) -> Self {
        Self { instance: self.instance.clone(), directory: Path::new(BPFFS).join("modlb-upgrade").join(&self.instance) }
    }

    /// The instance's name.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The directory of the instance.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The pin of an interface's link, named by index, as names of interfaces change.
    pub fn link(&self, interface: u32) -> PathBuf {
        self.directory.join(format!("link-{interface}"))
    }

    /// The pin of the program of an interface.
    pub fn program(&self, interface: u32) -> PathBuf {
        self.directory.join(format!("program-{interface}"))
    }

    /// The pin of the pass-all program's link on an interface of a network namespace.
    pub fn pass(&self, netns_cookie: u64, interface: u32) -> PathBuf {
        self.directory.join(format!("{netns_cookie}-{interface}"))
    }

    /// Whether the directory exists.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`]: somebody else may have made it, or what is in it.
    pub fn exist(&self) -> Result<bool> {
        self.each_directory(private::check)
    }

    /// The same for writers: closes directories of earlier versions, which others can open.
    fn exist_closed(&self) -> Result<bool> {
        self.each_directory(private::tighten)
    }

    /// Makes the directory unless it is there.
    fn make(&self) -> Result<()> {
        self.each_directory(|path| private::make(path).map(|()| true)).map(drop)
    }

    /// Does this to every directory below the BPF file system, as far as they are there.
    fn each_directory(&self, mut visit: impl FnMut(&Path) -> Result<bool>) -> Result<bool> {
        let root = Path::new(BPFFS);
        private::check_parent(root)?;
        let mut path = root.to_owned();
        for name in self.directory.strip_prefix(root).unwrap_or(&self.directory) {
            path.push(name);
            if !visit(&path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Why there is no directory.
    pub fn missing(&self) -> Error {
        bpffs::hidden(&self.instance).unwrap_or_else(|| Error::NotRunning(self.instance.clone()))
    }

    /// The interfaces that have a link, by index.
    pub fn links(&self) -> Result<Vec<u32>> {
        let mut interfaces: Vec<u32> =
            self.entries()?.iter().filter_map(|name| name.strip_prefix("link-")?.parse().ok()).collect();
        interfaces.sort_unstable();
        Ok(interfaces)
    }

    /// Removes all pins. Links come first, so that no program uses maps that are being removed; then the record of the
    /// instance, without which the rest is nothing to any command. The directory stays, and with it the lock.
    pub fn clear(&self) -> Result<()> {
        let (links, mut rest): (Vec<String>, Vec<String>) =
            self.entries()?.into_iter().partition(|name| name.starts_with("link-"));
        rest.sort_unstable_by_key(|name| name != "INSTANCE");
        links.iter().chain(&rest).try_for_each(|name| self.remove_pin(&self.directory.join(name)))
    }

    /// Removes all pins and the directory.
    pub fn remove(&self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.directory).map_err(Error::io(format!("removing {}", self.directory.display())))?;
        // Fails while there are other instances.
        let _ = self.directory.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Removes the directory if it is empty.
    pub fn remove_if_empty(&self) {
        let _ = fs::remove_dir(&self.directory);
    }

    /// Removes a directory that exists only for its lock, and its parent if that is empty.
    pub fn remove_claimed(&self) {
        self.remove_if_empty();
        let _ = self.directory.parent().map(fs::remove_dir);
    }

    /// Removes one pin, if it is there.
    pub fn remove_pin(&self, path: &Path) -> Result<()> {
        remove_file(path)?;
        kill_point::step();
        Ok(())
    }

    /// Mounts the BPF file system if it is not mounted, makes the directory, and takes the lock.
    pub fn create(&self) -> Result<Lock> {
        bpffs::prepare()?;
        self.create_here()
    }

    /// The same without waiting; `None`: another command has the lock.
    pub fn create_now(&self) -> Result<Option<Lock>> {
        bpffs::prepare()?;
        match self.create_within(Duration::ZERO) {
            Err(Error::Locked(..)) => Ok(None),
            result => result.map(Some),
        }
    }

    /// The same in the BPF file system that is mounted, even if it ends with this process.
    pub fn create_here(&self) -> Result<Lock> {
        self.create_within(LOCK_TIMEOUT)
    }

    fn create_within(&self, timeout: Duration) -> Result<Lock> {
        loop {
            self.make()?;
            if let Some(lock) = self.try_lock(timeout)? {
                return Ok(lock);
            }
        }
    }

    /// Takes the lock of an existing instance.
    pub fn lock(&self) -> Result<Lock> {
        while self.exist()? {
            if let Some(lock) = self.try_lock(LOCK_TIMEOUT)? {
                return Ok(lock);
            }
        }
        Err(self.missing())
    }

    /// The same without waiting; `None`: another command has it.
    pub fn lock_now(&self) -> Result<Option<Lock>> {
        if !self.exist()? {
            return Err(self.missing());
        }
        match self.try_lock(Duration::ZERO) {
            Err(Error::Locked(..)) => Ok(None),
            result => result,
        }
    }

    /// Changes with every pin that comes or goes, and with the digest of the records; `None`: there is no directory.
    pub fn stamp(&self, ports: u64) -> Option<Stamp> {
        let found = fs::metadata(&self.directory).ok()?;
        Some(Stamp { inode: found.ino(), changed: (found.mtime(), found.mtime_nsec()), ports })
    }

    /// Makes the directory in the mounted BPF file system, and takes the lock; `None`: another command has it.
    pub fn claim(&self) -> Result<Option<Lock>> {
        let start = Instant::now();
        // `is_claimed` holds the lock for a moment.
        while start.elapsed() < CLAIM_TIMEOUT {
            self.make()?;
            match self.try_lock(Duration::ZERO) {
                Ok(Some(lock)) => return Ok(Some(lock)),
                Ok(None) | Err(Error::Locked(..)) => thread::sleep(LOCK_INTERVAL),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether a command has the lock.
    pub fn is_claimed(&self) -> bool {
        matches!(self.try_lock(Duration::ZERO), Err(Error::Locked(..)))
    }

    /// `None`: the directory was removed or replaced meanwhile.
    fn try_lock(&self, timeout: Duration) -> Result<Option<Lock>> {
        if !self.exist_closed()? {
            return Ok(None);
        }
        let mut file = match File::open(&self.directory) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(format!("opening {}", self.directory.display()))(error)),
        };
        let start = Instant::now();
        let lock = loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => break lock,
                Err((unlocked, nix::Error::EWOULDBLOCK)) => file = unlocked,
                Err((_, errno)) => return Err(Error::errno("locking the instance")(errno)),
            }
            if start.elapsed() >= timeout {
                return Err(Error::Locked(self.instance.clone(), timeout.as_secs()));
            }
            thread::sleep(LOCK_INTERVAL);
        };
        let locked = lock.metadata().map_err(Error::io("checking the lock"))?.ino();
        let same = fs::metadata(&self.directory).is_ok_and(|found| found.ino() == locked);
        Ok(same.then_some(Lock { _directory: lock }))
    }

    pub(in crate::datapath) fn entries(&self) -> Result<Vec<String>> {
        let read = || -> io::Result<Vec<String>> {
            fs::read_dir(&self.directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            result => result.map_err(Error::io(format!("reading {}", self.directory.display()))),
        }
    }
}

/// The names of all instances, of any version.
pub fn instances() -> Vec<String> {
    if !Pins::outside("modlb").exist().unwrap_or_default() {
        return Vec::new();
    }
    let entries = fs::read_dir(Path::new(BPFFS).join("modlb")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}
