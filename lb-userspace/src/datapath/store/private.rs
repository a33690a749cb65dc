//! Directories and files that only root can open.
//!
//! Whoever can open a file or a directory can lock it, for ever and against root. So what modlb locks, and what it
//! reads again later, is in directories that only root can enter, and their owner is checked each time. (Root stands
//! for the user that modlb runs as, which may be another one with the capabilities.)

use std::{
    fs::{self, DirBuilder, File, Metadata, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};

use crate::datapath::error::{Error, Result};

/// The directory of everything outside the BPF file system. It, too, is empty after a reboot.
pub const RUN: &str = "/run/modlb";

/// Permissions of directories and files.
const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;

/// Permissions of anybody but the owner: any, and to write.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// With it, only the owner of an entry can rename or remove it.
const STICKY: u32 = 0o1000;

/// Makes a directory unless it is there, and makes sure that only root can open it.
///
/// # Errors
///
/// [`Error::Untrusted`]: somebody else made it, or can change what is in it.
pub fn make(path: &Path) -> Result<()> {
    loop {
        match DirBuilder::new().mode(DIRECTORY).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io(format!("making {}", path.display()))(error));
            }
            _ => {}
        }
        // Another command may have removed it, being done with it.
        if tighten(path)? {
            return Ok(());
        }
    }
}

/// Whether a directory is there. One that others can only read is closed to them: earlier versions made such ones.
///
/// # Errors
///
/// Those of [`make`].
pub fn tighten(path: &Path) -> Result<bool> {
    let Some(found) = look(path)? else { return Ok(false) };
    if found.mode() & OTHERS != 0 {
        let closed = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(path)
            .and_then(|directory| directory.set_permissions(Permissions::from_mode(DIRECTORY)));
        match closed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(Error::io(format!("closing {} to others", path.display())))?,
        }
    }
    Ok(true)
}

/// Whether a directory is there, for commands that change nothing.
///
/// # Errors
///
/// Those of [`make`].
pub fn check(path: &Path) -> Result<bool> {
    look(path).map(|found| found.is_some())
}

/// The same for a directory that modlb did not make: others may have entries in it, but not touch root's.
///
/// # Errors
///
/// [`Error::Untrusted`].
pub fn check_parent(path: &Path) -> Result<()> {
    let Some(found) = metadata(path)? else { return Ok(()) };
    let reason = fault(&found, geteuid().as_raw())
        .filter(|_| !(is_ours(&found, geteuid().as_raw()) && found.is_dir() && found.mode() & STICKY != 0));
    reason.map_or(Ok(()), |reason| Err(untrusted(path, &reason)))
}

fn look(path: &Path) -> Result<Option<Metadata>> {
    let Some(found) = metadata(path)? else { return Ok(None) };
    match fault(&found, geteuid().as_raw()) {
        Some(reason) => Err(untrusted(path, &reason)),
        None => Ok(Some(found)),
    }
}

fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !geteuid().is_root() => {
            Err(Error::NotRoot(path.display().to_string()))
        }
        Err(error) => Err(Error::io(format!("looking at {}", path.display()))(error)),
    }
}

/// Why a directory cannot be trusted.
fn fault(found: &Metadata, user: u32) -> Option<String> {
    if found.is_symlink() {
        return Some("is a symbolic link".to_owned());
    }
    if !found.is_dir() {
        return Some("is not a directory".to_owned());
    }
    if !is_ours(found, user) {
        return Some(format!("belongs to user {}", found.uid()));
    }
    let mode = found.mode() & 0o7777;
    (mode & OTHERS_WRITE != 0).then(|| format!("can be written to by other users (mode {mode:04o})"))
}

fn is_ours(found: &Metadata, user: u32) -> bool {
    found.uid() == 0 || found.uid() == user
}

fn untrusted(path: &Path, reason: &str) -> Error {
    Error::Untrusted { path: path.display().to_string(), reason: reason.to_owned() }
}

/// Replaces a file in [`RUN`] atomically, which is made if it is missing.
///
/// # Errors
///
/// Those of [`make`]; the file cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    make(Path::new(RUN))?;
    let new = path.with_extension("new");
    let replace = || -> io::Result<()> {
        // A command may have been killed between the two steps.
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = File::options().write(true).create_new(true).mode(FILE).open(&new)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&new, path)
    };
    replace().map_err(Error::io(format!("writing {}", path.display())))
}

/// The file that the agent of an instance locks.
pub fn agent_lock(instance: &str) -> PathBuf {
    Path::new(RUN).join(format!("{instance}.agent"))
}

/// The file in which the agent of an instance records its state for commands.
pub fn agent_record(instance: &str) -> PathBuf {
    Path::new(RUN).join(format!("{instance}.agent.json"))
}

/// Whether an agent manages an instance.
///
/// # Errors
///
/// [`Error::Untrusted`]: the lock is not root's alone.
pub fn has_agent(instance: &str) -> Result<bool> {
    Ok(check(Path::new(RUN))? && is_locked(&agent_lock(instance)))
}

/// The record of a change that waits for `modlb confirm`.
pub fn pending(instance: &str) -> PathBuf {
    Path::new(RUN).join(format!("{instance}.pending"))
}

/// The file that the process locks which rolls that change back in time.
pub fn waiter_lock(instance: &str) -> PathBuf {
    Path::new(RUN).join(format!("{instance}.waiter"))
}

/// Removes what killed processes of an instance have left. Those that run remove it themselves.
pub fn forget(instance: &str) {
    let leftovers = [(agent_lock(instance), agent_record(instance)), (waiter_lock(instance), pending(instance))];
    for (lock, record) in leftovers {
        if (lock.exists() || record.exists())
            && let Ok(Some(_lock)) = try_lock(&lock)
        {
            let _ = fs::remove_file(record);
            let _ = fs::remove_file(lock);
            remove_if_empty();
        }
    }
}

/// Whether a process has the lock of a file. Looking takes a shared one for a moment.
pub fn is_locked(path: &Path) -> bool {
    let locked = |file| matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::Error::EWOULDBLOCK)));
    File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path).is_ok_and(locked)
}

/// Removes [`RUN`] if nothing is in it.
pub fn remove_if_empty() {
    let _ = fs::remove_dir(RUN);
}

/// Locks a file in [`RUN`], which is made if it is missing, and waits while another process has the lock. The kernel
/// releases it however the process ends. Who removes the file holds its lock.
///
/// # Errors
///
/// Those of [`make`]; the file cannot be opened.
pub fn lock(path: &Path) -> Result<Flock<File>> {
    loop {
        if let Some(lock) = lock_as(path, FlockArg::LockExclusive)? {
            return Ok(lock);
        }
    }
}

/// The same without waiting; `None`: another process has the lock.
///
/// # Errors
///
/// Those of [`lock`].
pub fn try_lock(path: &Path) -> Result<Option<Flock<File>>> {
    lock_as(path, FlockArg::LockExclusiveNonblock)
}

/// The same, tried for this long: whoever looks whether a lock is taken has a shared one for a moment.
///
/// # Errors
///
/// Those of [`lock`].
pub fn lock_within(path: &Path, patience: Duration) -> Result<Option<Flock<File>>> {
    const INTERVAL: Duration = Duration::from_millis(10);
    let start = Instant::now();
    loop {
        match try_lock(path)? {
            None if start.elapsed() < patience => thread::sleep(INTERVAL),
            result => return Ok(result),
        }
    }
}

fn lock_as(path: &Path, how: FlockArg) -> Result<Option<Flock<File>>> {
    let failed = || Error::io(format!("locking {}", path.display()));
    loop {
        make(Path::new(RUN))?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(FILE).custom_flags(libc::O_NOFOLLOW);
        let file = match options.open(path) {
            Ok(file) => file,
            // The directory was empty, and removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed()(error)),
        };
        match Flock::lock(file, how) {
            Ok(lock) if is_at(&lock, path) => return Ok(Some(lock)),
            // Whoever had it has removed it.
            Ok(_) => {}
            Err((_, nix::Error::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(failed()(errno.into())),
        }
    }
}

/// Whether an open file is still the one at its path.
fn is_at(file: &File, path: &Path) -> bool {
    let here = file.metadata().map(|found| (found.dev(), found.ino()));
    let there = fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refuses(path: &Path, reason: &str) {
        for error in [make(path).unwrap_err(), tighten(path).unwrap_err(), check(path).unwrap_err()] {
            let error = error.to_string();
            assert!(error.contains(reason) && error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn directories_are_made_and_kept_closed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("made");
        assert!(!check(&path).unwrap() && !tighten(&path).unwrap());
        make(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        // As earlier versions made them.
        set_mode(&path, 0o755);
        assert!(check(&path).unwrap());
        assert_eq!(mode(&path), 0o755);
        assert!(tighten(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn what_others_may_have_changed_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("directory");
        make(&path).unwrap();
        for mode in [0o777, 0o720, 0o702, 0o1777] {
            set_mode(&path, mode);
            refuses(&path, "can be written to by other users");
        }
        set_mode(&path, 0o700);
        let link = parent.path().join("link");
        symlink(&path, &link).unwrap();
        refuses(&link, "is a symbolic link");
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        refuses(&file, "is not a directory");
    }

    #[test]
    fn another_user_is_not_trusted() {
        let parent = tempfile::tempdir().unwrap();
        let found = fs::metadata(parent.path()).unwrap();
        assert_eq!(fault(&found, found.uid()), None);
        if found.uid() != 0 {
            assert!(fault(&found, found.uid() + 1).unwrap().contains("belongs to user"));
        }
    }

    /// The BPF file system of old mounts is open to everybody, as /tmp is.
    #[test]
    fn a_parent_may_be_open_if_it_is_sticky() {
        let parent = tempfile::tempdir().unwrap();
        for (mode, fine) in [(0o755, true), (0o1777, true), (0o777, false), (0o700, true)] {
            set_mode(parent.path(), mode);
            assert_eq!(check_parent(parent.path()).is_ok(), fine, "{mode:o}");
        }
    }
}
