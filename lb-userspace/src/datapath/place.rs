//! Where servers are.

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::{mac::Mac, table::NextHop};
use sha2::{Digest as _, Sha256};

use crate::{
    config::model::{Config, Role, Service},
    decide::{keep::names::names, peers::PeerRule, slots::Digest},
    net::{self, Net},
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
    /// Role `keep`: by which address files name this host, or may do so, by service; see [`names()`].
    pub names: Vec<Option<IpAddr>>,
}

impl Placed {
    /// A configuration with its servers' locations, for this host with its addresses.
    pub fn new(config: Config, locations: Vec<Vec<Location>>, own: Vec<IpAddr>) -> Self {
        let peers = PeerRule::all(&config, |service, server| locations[service][server] == Location::Local);
        let names = names(&config, &peers, &config.group.own);
        Self { config, locations, own, peers, names }
    }

    /// The same for the host of this network.
    ///
    /// # Errors
    ///
    /// Its addresses cannot be read.
    pub async fn on(net: &Net, config: Config, locations: Vec<Vec<Location>>) -> net::Result<Self> {
        let prefixes = config.services.iter().any(Service::is_prefix);
        let own = if prefixes { net.own_addresses().await? } else { Vec::new() };
        let mut placed = Self::new(config, locations, own);
        if placed.config.role == Role::Keep && placed.config.group.own.is_empty() {
            let local: BTreeSet<_> = net.local_addresses().await?.into_iter().collect();
            placed.names = names(&placed.config, &placed.peers, &Vec::from_iter(local));
        }
        Ok(placed)
    }

    /// A digest of this host's addresses, as far as they count; 0: none do.
    pub fn own_digest(&self) -> u64 {
        let names = self.names.iter().flatten().filter(|_| self.config.role == Role::Keep);
        let mut addresses = self.own.iter().chain(names).peekable();
        if addresses.peek().is_none() {
            return 0;
        }
        let mut hash = Sha256::new();
        addresses.for_each(|address| hash.update(address.to_string() + "\n"));
        Digest::of(hash).0.max(1)
    }
}
