//! The kernel's view of the network, by netlink: interfaces, addresses, routes, neighbours and namespaces; and how
//! names from there are written in commands.

pub mod addresses;
pub mod details;
pub mod error;
pub mod ethtool;
pub mod events;
pub mod features;
pub mod filters;
mod generic;
pub mod interfaces;
pub mod multicast;
pub mod namespace_ids;
pub mod namespaces;
pub mod neighbours;
pub mod netlink;
pub mod queues;
pub mod routes;
pub mod shell;
pub mod sockets;
mod stamp;

pub use error::{Error, Result};
pub use interfaces::{Interface, XdpInfo, XdpMode};
pub use neighbours::Neighbour;
pub use netlink::Net;
pub use routes::Route;
