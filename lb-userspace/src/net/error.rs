//! Errors of reading the kernel's view of the network.

use std::{io, net::IpAddr};

/// Why the kernel's view of the network could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket can be opened.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// No interface has the name.
    #[error("there is no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// The name is an alternative one. The kernel names an interface by its name alone in what it reports, so
    /// everything here does.
    #[error("{name:?} is an alternative name of interface {interface}; say {interface}")]
    AlternativeName {
        /// The alternative name.
        name: String,
        /// The name of the interface.
        interface: String,
    },
    /// No interface has the index.
    #[error("there is no interface with index {0} in this network namespace")]
    NoInterfaceIndex(u32),
    /// The kernel has no route to the address.
    #[error("there is no route to {address}: {source}")]
    NoRoute {
        /// The address.
        address: IpAddr,
        /// The kernel's error.
        source: io::Error,
    },
    /// An entry of the neighbour table cannot be changed.
    #[error("cannot change the entry of {address} in the neighbour table: {source}")]
    Neighbour {
        /// The neighbour.
        address: IpAddr,
        /// The kernel's error.
        source: io::Error,
    },
    /// A request failed.
    #[error("cannot read {what} from the kernel: {source}")]
    Request {
        /// What was requested.
        what: String,
        /// The kernel's error.
        source: io::Error,
    },
}

/// The result of functions in this module.
pub type Result<T> = std::result::Result<T, Error>;
