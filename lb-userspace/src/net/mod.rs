//! The kernel's view of the network, by rtnetlink: interfaces, addresses, routes, neighbours and namespaces.

pub mod addresses;
pub mod details;
pub mod error;
pub mod ethtool;
pub mod events;
pub mod features;
pub mod interfaces;
pub mod namespaces;
pub mod neighbours;
pub mod netlink;
pub mod routes;

pub use error::{Error, Result};
pub use interfaces::{Interface, XdpInfo, XdpMode};
pub use neighbours::Neighbour;
pub use netlink::Net;
pub use routes::Route;
