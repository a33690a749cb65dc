//! The netlink socket, and waiting for its answers.
//!
//! Trap: a netlink socket stays in the network namespace in which it was opened. Enter the namespace first (see
//! `namespaces`), on the thread that later runs the (current-thread) runtime.

use std::{future::Future, io, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use lb_common::mac::Mac;
use rtnetlink::Handle;
use tokio::{task::JoinHandle, time};

use super::{
    error::{Error, Result},
    generic::Generic,
};

/// How long one request may take. The kernel answers within the system call; silence means an answer that could not be
/// decoded, for which the library would wait for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The kernel's view of one network namespace.
#[derive(Debug)]
pub struct Net {
    pub(super) handle: Handle,
    pub(super) generic: Generic,
    connection: JoinHandle<()>,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Net {
    /// Opens the current network namespace. Call it within a tokio runtime, which must run for answers to arrive.
    pub fn open() -> Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(Error::Open)?;
        let generic = Generic::open().map_err(Error::Open)?;
        Ok(Self { handle, generic, connection: tokio::spawn(connection) })
    }
}

/// Waits for an answer, up to [`ANSWER_TIMEOUT`].
pub(super) async fn answered<T>(
    answer: impl Future<Output = std::result::Result<T, rtnetlink::Error>>,
) -> io::Result<T> {
    match time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(rtnetlink::Error::NetlinkError(message))) => Err(message.to_io()),
        Ok(Err(other)) => Err(io::Error::other(other)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer that could be decoded")),
    }
}

/// Collects a dump.
pub(super) async fn all<T: Send>(
    answers: impl Stream<Item = std::result::Result<T, rtnetlink::Error>> + Send,
    what: &str,
) -> Result<Vec<T>> {
    answered(answers.boxed().try_collect()).await.map_err(|source| Error::Request { what: what.to_owned(), source })
}

/// The MAC in a link-layer address. Addresses of tunnels have other lengths, that of loopback is zero.
pub(super) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac).filter(|mac| mac.is_unicast())
}
