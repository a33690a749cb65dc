//! The socket, and waiting for its answers.
//!
//! Trap: a netlink socket belongs to the network namespace that its thread was in when it was opened, and stays there.
//! Enter the namespace first (see `namespaces`), on the thread that later runs the (current-thread) runtime.

use std::{future::Future, io, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use lb_common::mac::Mac;
use rtnetlink::Handle;
use tokio::{task::JoinHandle, time};

use super::error::{Error, Result};

/// How long the kernel may take over one request. It answers within the system call; a longer silence means an answer
/// that could not be decoded, for which the library would wait forever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The kernel's view of one network namespace.
#[derive(Debug)]
pub struct Net {
    pub(super) handle: Handle,
    connection: JoinHandle<()>,
}

impl Drop for Net {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Net {
    /// Opens the current network namespace. Must be called within a tokio runtime, which then has to run for answers to
    /// arrive.
    pub fn open() -> Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(Error::Open)?;
        Ok(Self { handle, connection: tokio::spawn(connection) })
    }
}

/// Waits for an answer, but not forever.
pub(super) async fn answered<T>(
    answer: impl Future<Output = std::result::Result<T, rtnetlink::Error>>,
) -> io::Result<T> {
    match time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(rtnetlink::Error::NetlinkError(message))) => Err(message.to_io()),
        Ok(Err(other)) => Err(io::Error::other(other)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer that could be understood")),
    }
}

/// Collects a dump.
pub(super) async fn all<T>(
    answers: impl Stream<Item = std::result::Result<T, rtnetlink::Error>>,
    what: &str,
) -> Result<Vec<T>> {
    answered(answers.boxed_local().try_collect())
        .await
        .map_err(|source| Error::Request { what: what.to_owned(), source })
}

/// The MAC in a link-layer address; tunnels have addresses of other lengths, loopback has zeros.
pub(super) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac).filter(|mac| mac.is_unicast())
}
