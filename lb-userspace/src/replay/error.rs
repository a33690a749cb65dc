//! Why a capture cannot be replayed.

use std::net::IpAddr;

use crate::datapath;

/// Why a capture cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The datapath cannot be tried.
    #[error("{0}; `--without-kernel` gives the same answers and needs neither root nor the kernel's consent")]
    Datapath(#[from] datapath::Error),
    /// The program counted something else than what it did.
    #[error("the datapath contradicts itself: {0}; this is a fault in modlb")]
    Contradiction(String),
    /// A server that no service has.
    #[error("--down {0}: no service has this server")]
    NoServer(IpAddr),
    /// More than is kept in mind of each flow.
    #[error("{0} changes are asked about; at most {1} fit one replay")]
    Changes(usize, usize),
}
