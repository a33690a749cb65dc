//! Why the kernel's view of the network could not be had.

use std::{io, net::IpAddr};

/// Why the kernel's view could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no netlink socket to be had.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// No interface has the name.
    #[error("there is no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// No interface has the index.
    #[error("there is no interface with index {0} in this network namespace")]
    NoInterfaceIndex(u32),
    /// The kernel would not send to the address.
    #[error("there is no route to {address}: {source}")]
    NoRoute {
        /// Where to.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// An entry of the neighbour table cannot be changed.
    #[error("cannot change the entry of {address} in the neighbour table: {source}")]
    Neighbour {
        /// Whose.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A request failed.
    #[error("cannot read {what} from the kernel: {source}")]
    Request {
        /// What was asked for.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What the functions of this module return.
pub type Result<T> = std::result::Result<T, Error>;
