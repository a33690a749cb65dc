//! Where servers are.

use std::net::IpAddr;

use lb_common::{mac::Mac, table::NextHop};
use sha2::{Digest as _, Sha256};

use crate::{
    config::model::Config,
    decide::{peers::PeerRule, slots::Digest},
};

/// Where a server is, as this host sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Location {
    /// Reached by sending the frame back out of the interface that it came in on.
    #[default]
    SamePort,
    /// This host.
    Local,
    /// Reached through one of several interfaces.
    ViaNextHop {
        /// The interface's index.
        interface: u32,
        /// The interface's MAC.
        source: Mac,
    },
}

impl Location {
    /// Its number in all maps: an interface's index, or a number that no interface has.
    pub const fn number(self) -> u32 {
        match self {
            Self::SamePort => NextHop::SAME_PORT,
            Self::Local => NextHop::LOCAL,
            Self::ViaNextHop { interface, .. } => interface,
        }
    }

    /// The reverse. `source` is called only for the MAC of one of several interfaces.
    pub fn from_number(number: u32, source: impl FnOnce() -> Mac) -> Self {
        match number {
            NextHop::SAME_PORT => Self::SamePort,
            NextHop::LOCAL => Self::Local,
            interface => Self::ViaNextHop { interface, source: source() },
        }
    }

    /// The source MAC of frames that are sent there; zero: that of the interface that they came in on.
    pub fn source(self) -> Mac {
        match self {
            Self::SamePort | Self::Local => Mac::ZERO,
            Self::ViaNextHop { source, .. } => source,
        }
    }
}

/// A configuration with the locations of its servers.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// Every server that takes flows has a MAC, unless it is this host.
    pub config: Config,
    /// Where the servers are, by service and server.
    pub locations: Vec<Vec<Location>>,
    /// Addresses that no prefix service takes: this host's and its networks' broadcast addresses. Empty without prefix
    /// services.
    pub own: Vec<IpAddr>,
    /// Whose frames are not balanced again, by service.
    pub peers: Vec<PeerRule>,
    /// Role `keep`: by which addresses hosts know this one that list it in services where this host does not.
    pub ring_addresses: Vec<IpAddr>,
}

impl Placed {
    /// A configuration with its servers' locations, for this host with its addresses.
    pub fn new(config: Config, locations: Vec<Vec<Location>>, own: Vec<IpAddr>) -> Self {
        let peers = PeerRule::all(&config, |service, server| locations[service][server] == Location::Local);
        Self { config, locations, own, peers, ring_addresses: Vec::new() }
    }
}

impl Placed {
    /// A digest of this host's addresses that count; 0: none do.
    pub fn own_digest(&self) -> u64 {
        if self.own.is_empty() && self.ring_addresses.is_empty() {
            return 0;
        }
        let mut hash = Sha256::new();
        self.own.iter().chain(&self.ring_addresses).for_each(|address| hash.update(address.to_string() + "\n"));
        Digest::of(hash).0.max(1)
    }
}
