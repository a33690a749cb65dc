//! Where the listener listens: at an address and port, or at a Unix socket.

use std::{
    fmt, fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::{
            fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use nix::sys::{
    socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket},
    stat::{Mode, fchmod},
};

/// Where the listener listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// An address and port.
    At(SocketAddr),
    /// A Unix socket, for root alone.
    Unix(PathBuf),
}

/// The text is not an [`Endpoint`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an address and port, nor a socket; write 127.0.0.1:9652, [::1]:9652 or unix:/run/modlb/default.sock")]
pub struct ParseEndpointError;

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') && !path.ends_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err(ParseEndpointError),
            None => text.parse().map(Self::At).map_err(|_| ParseEndpointError),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Bound {
    /// At an address.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener, SocketFile),
}

impl Endpoint {
    /// Listens there, without blocking.
    pub(super) fn bind(&self) -> Result<Bound> {
        match self {
            Self::At(address) => {
                let listener = TcpListener::bind(address).with_context(|| {
                    format!("cannot listen on {address}; choose another address or port with --listen")
                })?;
                listener.set_nonblocking(true)?;
                Ok(Bound::Tcp(listener))
            }
            Self::Unix(path) => {
                let (listener, file) =
                    unix(path).with_context(|| format!("cannot listen on {self}; choose another one with --listen"))?;
                Ok(Bound::Unix(listener, file))
            }
        }
    }
}

impl Bound {
    /// Where it listens, with the port that the kernel chose.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        Ok(match self {
            Self::Tcp(listener) => Endpoint::At(listener.local_addr()?),
            Self::Unix(_, file) => Endpoint::Unix(file.path.clone()),
        })
    }
}

/// A socket's file, which is removed with it unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn unix(path: &Path) -> Result<(UnixListener, SocketFile)> {
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        fs::DirBuilder::new().mode(0o700).create(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    remove_stale(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // The file has the socket's mode from the start, so that nobody else can connect in between.
    fchmod(socket.as_fd(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let file = SocketFile { path: path.to_owned(), id: id(path)? };
    listen(&socket, Backlog::MAXALLOWABLE)?;
    Ok((socket.into(), file))
}

/// Removes the socket of a process that was killed, and nothing else.
fn remove_stale(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => bail!("a file that is no socket is there"),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Ok(_) => bail!("another process listens there"),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn endpoints_are_written_as_they_are_read() {
        for text in ["127.0.0.1:9652", "[::1]:80", "unix:/run/modlb/a.sock"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "9652", ":9652", "localhost:9652", "127.0.0.1", "unix:", "unix:a.sock", "unix:/run/", "/a"] {
            assert_eq!(text.parse::<Endpoint>(), Err(ParseEndpointError), "{text}");
        }
    }

    #[test]
    fn a_socket_is_for_its_owner_and_is_removed_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/modlb.sock");
        let endpoint = Endpoint::Unix(path.clone());
        let bound = endpoint.bind().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bound.endpoint().unwrap(), endpoint);
        let error = format!("{:#}", endpoint.bind().unwrap_err());
        assert!(error.ends_with("another process listens there"), "{error}");
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_socket_that_nobody_listens_at_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modlb.sock");
        drop(UnixListener::bind(&path).unwrap());
        let endpoint = Endpoint::Unix(path.clone());
        let bound = endpoint.bind().unwrap();
        // Another one has taken its place meanwhile.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(bound);
        let error = format!("{:#}", endpoint.bind().unwrap_err());
        assert!(error.ends_with("a file that is no socket is there"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
