//! What tables know of a server.

use std::net::IpAddr;

use crate::config::model::{PreviousServer, Server};

/// A server as far as it counts for who owns a slot.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub(super) address: IpAddr,
    pub(super) weight: u32,
}

impl From<&Server> for Entry {
    fn from(server: &Server) -> Self {
        Self { address: server.address, weight: server.weight }
    }
}

impl From<&PreviousServer> for Entry {
    fn from(server: &PreviousServer) -> Self {
        Self { address: server.address, weight: server.weight }
    }
}

/// The entries of a list.
pub(super) fn entries<'list, S>(list: &'list [S]) -> Vec<Entry>
where
    Entry: From<&'list S>,
{
    list.iter().map(Entry::from).collect()
}
