//! Enters and identifies network namespaces.
//!
//! Trap: only the calling thread enters a namespace. Do it before any other thread is started.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd},
        unix::{fs::MetadataExt as _, net::UnixDatagram},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
};

/// The directory of namespaces that `ip netns add` makes.
const NAMED: &str = "/run/netns";

/// Why a network namespace could not be entered or identified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has that name.
    #[error("there is no network namespace {name:?} ({path} does not exist); `ip netns list` shows them", path = path.display())]
    Missing {
        /// As the user gave it.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It exists, but cannot be entered.
    #[error("cannot enter the network namespace {path}: {source}", path = path.display())]
    Enter {
        /// Its path.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The current one cannot be identified.
    #[error("cannot identify this network namespace: {0}")]
    Cookie(#[source] io::Error),
}

/// The result of functions in this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Moves the calling thread into a network namespace: a name of `ip netns` or, if it contains `/`, a path such as
/// `/proc/PID/ns/net`. Unlike `ip netns exec`, this leaves mounts as they are.
pub fn enter(name_or_path: &str) -> Result<()> {
    let path = path_of(name_or_path);
    let file = File::open(&path).map_err(|source| match source.kind() == io::ErrorKind::NotFound {
        true => Error::Missing { name: name_or_path.to_owned(), path: path.clone() },
        false => Error::Enter { path: path.clone(), source },
    })?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Enter { path, source: explain(errno) })
}

fn path_of(name_or_path: &str) -> PathBuf {
    if name_or_path.contains('/') { PathBuf::from(name_or_path) } else { Path::new(NAMED).join(name_or_path) }
}

/// For a file that is not a namespace, the kernel only says "invalid argument".
fn explain(errno: Errno) -> io::Error {
    if errno == Errno::EINVAL {
        io::Error::new(io::ErrorKind::InvalidInput, "it is not a network namespace")
    } else {
        errno.into()
    }
}

/// The name that `ip netns` knows the current one by, if it has one.
pub fn current_name() -> Option<String> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let current = identity(Path::new("/proc/thread-self/ns/net"))?;
    let entries = fs::read_dir(NAMED).ok()?.flatten();
    let mut named = entries.filter(|entry| identity(&entry.path()) == Some(current));
    named.next()?.file_name().into_string().ok()
}

/// A number that no other network namespace has until the next boot; on Linux below 5.14, while this one exists.
pub fn cookie() -> Result<u64> {
    // Any socket will do. This kind needs neither addresses nor privileges.
    let socket = UnixDatagram::unbound().map_err(Error::Cookie)?;
    match netns_cookie_of(socket.as_fd()) {
        Ok(cookie) => Ok(cookie),
        Err(Errno::ENOPROTOOPT) => number_of_file().map_err(Error::Cookie),
        Err(errno) => Err(Error::Cookie(errno.into())),
    }
}

/// The number of the namespace's file. The kernel gives it again once the namespace is gone.
fn number_of_file() -> io::Result<u64> {
    Ok(fs::metadata("/proc/thread-self/ns/net")?.ino())
}

/// `SO_NETNS_COOKIE`, Linux 5.14.
fn netns_cookie_of(socket: BorrowedFd<'_>) -> nix::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `cookie`, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(path_of("blue"), Path::new("/run/netns/blue"));
        assert_eq!(path_of("/proc/1/ns/net"), Path::new("/proc/1/ns/net"));
        assert_eq!(path_of("./net"), Path::new("./net"));
    }

    /// What stands in for the cookie on old kernels is one number for all threads here, and another one elsewhere.
    #[test]
    fn a_namespace_is_known_by_its_file() {
        let here = number_of_file().unwrap();
        assert_ne!(here, 0);
        assert_eq!(std::thread::spawn(|| number_of_file().unwrap()).join().unwrap(), here);
        let elsewhere = || nix::sched::unshare(CloneFlags::CLONE_NEWNET).map(|()| number_of_file().unwrap());
        match std::thread::spawn(elsewhere).join().unwrap() {
            Ok(number) => assert_ne!(number, here),
            Err(errno) => eprintln!("SKIPPED: no other namespace to compare with: {errno}"),
        }
    }

    /// The test's namespace has no name, or one that leads back to it.
    #[test]
    fn the_current_name_leads_here() {
        let here = |path: &str| fs::metadata(path).unwrap().ino();
        if let Some(name) = current_name() {
            assert_eq!(here(&format!("{NAMED}/{name}")), here("/proc/self/ns/net"));
        }
    }

    #[test]
    fn the_cookie_stays() {
        let cookie = super::cookie().unwrap();
        assert_eq!(super::cookie().unwrap(), cookie);
    }

    #[test]
    fn errors_name_the_culprit() {
        let error = enter("no-such-namespace").unwrap_err().to_string();
        assert!(error.contains("\"no-such-namespace\"") && error.contains("ip netns list"), "{error}");
        let error = enter("/dev/null").unwrap_err().to_string();
        assert!(error.starts_with("cannot enter the network namespace /dev/null: "), "{error}");
    }
}
