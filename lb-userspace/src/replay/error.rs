//! Why a capture cannot be replayed.

use std::net::IpAddr;

use crate::datapath;

/// Why a capture cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The datapath cannot be run.
    #[error("{0}; `--without-kernel` gives the same answers and needs neither root nor the kernel")]
    Datapath(#[from] datapath::Error),
    /// The program's counters do not match its actions.
    #[error("the datapath contradicts itself: {0}; this is a bug in modlb")]
    Contradiction(String),
    /// A server that no service has.
    #[error("--down {0}: no service has this server")]
    NoServer(IpAddr),
    /// More changes than a flow's marks can hold.
    #[error("{0} changes are asked for; a replay takes at most {1}")]
    Changes(usize, usize),
}
