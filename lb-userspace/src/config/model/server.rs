//! A server of a service.

use std::{fmt, net::IpAddr};

use lb_common::mac::Mac;

use super::health::{ByHand, Health};

/// One of the machines behind a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Of the service's address family.
    pub address: IpAddr,
    /// The MAC that its frames are sent to.
    pub mac: ServerMac,
    /// The VLAN of its frames; `None`: that in which they came.
    pub vlan: Option<Vlan>,
    /// How many consecutive slots it has; at least 1, or 0 for a server that only `previous` lists have.
    pub weight: u32,
    /// The state that configuration and commands give it.
    pub state: State,
    /// Findings, which together with the state decide whether it takes flows.
    pub health: Health,
}

/// A server's MAC, and where it is known from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerMac {
    /// From the configuration.
    Given(Mac),
    /// From the neighbour table.
    Resolved {
        /// The MAC.
        mac: Mac,
        /// The index of the interface on which it was found; 0: not known.
        on: u32,
    },
    /// Not known.
    Unresolved,
}

/// The outer VLAN tag of frames to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vlan {
    /// None: a tag is removed.
    Untagged,
    /// This VLAN, 1 to 4094: a tag is rewritten or added.
    Tagged(u16),
}

/// The configured state of a server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// It takes flows.
    #[default]
    Up,
    /// Its flows go to the servers that are up.
    Down,
}

impl Server {
    /// Whether only `previous` lists have it: role `keep` hands connections on to it.
    pub const fn is_former(&self) -> bool {
        self.weight == 0
    }

    /// Whether it is taken down, by configuration or by hand.
    pub fn is_down(&self) -> bool {
        self.state == State::Down || self.health.by_hand.is_some_and(ByHand::outlasts_files)
    }
}

impl ServerMac {
    /// The MAC, if it is known.
    pub const fn get(self) -> Option<Mac> {
        match self {
            Self::Given(mac) | Self::Resolved { mac, .. } => Some(mac),
            Self::Unresolved => None,
        }
    }
}

impl Vlan {
    /// The meaning of a number in a configuration, at most 4094.
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Untagged,
            number => Self::Tagged(number),
        }
    }

    /// The number in configurations.
    pub const fn number(self) -> u16 {
        match self {
            Self::Untagged => 0,
            Self::Tagged(number) => number,
        }
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => f.write_str("untagged"),
            Self::Tagged(number) => number.fmt(f),
        }
    }
}

impl State {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}
