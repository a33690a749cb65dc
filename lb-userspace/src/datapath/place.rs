//! Where servers are.

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::{mac::Mac, table::NextHop};
use sha2::{Digest as _, Sha256};

use crate::{
    config::model::{Config, Role, Service},
    decide::{peers::PeerRule, slots::Digest},
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
    /// Role `keep`: the addresses by which newer files of other hosts may name this one, in order.
    pub names: Vec<IpAddr>,
}

impl Placed {
    /// A configuration with its servers' locations, for this host with its addresses.
    pub fn new(config: Config, locations: Vec<Vec<Location>>, own: Vec<IpAddr>) -> Self {
        let peers = PeerRule::all(&config, |service, server| locations[service][server] == Location::Local);
        Self { config, locations, own, peers, names: Vec::new() }
    }

    /// The same for the host of this network.
    ///
    /// # Errors
    ///
    /// Its addresses cannot be read.
    pub async fn on(net: &Net, config: Config, locations: Vec<Vec<Location>>) -> net::Result<Self> {
        let prefixes = config.services.iter().any(Service::is_prefix);
        let own = if prefixes { net.own_addresses().await? } else { Vec::new() };
        let names = match config.role {
            Role::Keep if !config.group.own.is_empty() => config.group.own.clone(),
            Role::Keep => net.local_addresses().await?.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            Role::Balancer | Role::Member | Role::Steer => Vec::new(),
        };
        Ok(Self { names, ..Self::new(config, locations, own) })
    }

    /// A digest of this host's addresses, as far as they count; 0: none do.
    pub fn own_digest(&self) -> u64 {
        if self.own.is_empty() && self.names.is_empty() {
            return 0;
        }
        let mut hash = Sha256::new();
        self.own.iter().chain(&self.names).for_each(|address| hash.update(address.to_string() + "\n"));
        Digest::of(hash).0.max(1)
    }
}
