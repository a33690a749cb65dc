//! Where servers are.

use std::net::IpAddr;

use lb_common::mac::Mac;

use crate::config::model::Config;

/// Where a server is, as this host sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Place {
    /// Reached by sending the frame back by the interface that it came in by.
    #[default]
    Back,
    /// It is this host.
    Here,
    /// Behind one interface of several.
    Behind {
        /// The interface's index.
        interface: u32,
        /// The interface's MAC.
        source: Mac,
    },
}

/// A configuration whose servers have been found.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// The configuration. Every server that takes flows has a MAC, unless it is this host.
    pub config: Config,
    /// Where the servers are, by service and server.
    pub places: Vec<Vec<Place>>,
    /// Addresses that no prefix service takes: this host's and its networks' broadcast addresses. Empty where there is no
    /// such service.
    pub own: Vec<IpAddr>,
}
