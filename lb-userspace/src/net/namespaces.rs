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
    thread,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
};

/// The directory of namespaces that `ip netns add` makes.
const NAMED: &str = "/run/netns";

/// What stands before the number of a process.
const PROCESS: &str = "pid:";

/// From `linux/nsfs.h`: the kind of a namespace, as for clone(2).
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;

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
    /// There is no such process.
    #[error(
        "there is no process {0} whose network namespace could be entered; `lsns -t net -o PID,COMMAND` shows some"
    )]
    NoProcess(String),
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

/// Moves the calling thread into a network namespace: a name of `ip netns`, `pid:NUMBER` for that of a process or, if
/// it contains `/`, a path. Unlike `ip netns exec`, this leaves mounts as they are.
pub fn enter(netns: &str) -> Result<()> {
    let path = path_of(netns);
    let enter = |errno: Errno| Error::Enter { path: path.clone(), source: explain(errno) };
    setns(open(netns)?, CloneFlags::CLONE_NEWNET).map_err(enter)
}

/// Opens that of a network namespace. It may be something else's.
fn open(netns: &str) -> Result<File> {
    let path = path_of(netns);
    File::open(&path).map_err(|source| match (source.kind(), netns.strip_prefix(PROCESS)) {
        (io::ErrorKind::NotFound, Some(number)) => Error::NoProcess(number.to_owned()),
        (io::ErrorKind::NotFound, None) => Error::Missing { name: netns.to_owned(), path },
        (_, _) => Error::Enter { path, source },
    })
}

/// Does something in another network namespace, named as for [`enter`], on a new thread.
pub fn within<T: Send>(netns: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    thread::scope(|scope| {
        let entered = scope.spawn(|| enter(netns).map(|()| work()));
        entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Opens a network namespace, named as for [`enter`].
pub fn file(netns: &str) -> Result<File> {
    let file = open(netns)?;
    // SAFETY: it takes no argument, and the file is open.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    if kind == libc::CLONE_NEWNET {
        return Ok(file);
    }
    Err(Error::Enter { path: path_of(netns), source: explain(Errno::EINVAL) })
}

/// The file of a network namespace, named as for [`enter`].
pub fn path_of(netns: &str) -> PathBuf {
    match netns.strip_prefix(PROCESS) {
        _ if netns.contains('/') => PathBuf::from(netns),
        Some(number) => Path::new("/proc").join(number).join("ns/net"),
        None => Path::new(NAMED).join(netns),
    }
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
        assert_eq!(path_of("pid:17"), Path::new("/proc/17/ns/net"));
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
        let error = enter("pid:999999999").unwrap_err().to_string();
        assert!(error.starts_with("there is no process 999999999 ") && error.contains("`lsns -t net"), "{error}");
        for other in ["/dev/null", "/proc/self/ns/mnt"] {
            let error = file(other).unwrap_err().to_string();
            assert!(error.ends_with("it is not a network namespace"), "{error}");
        }
        file("/proc/self/ns/net").unwrap();
    }
}
