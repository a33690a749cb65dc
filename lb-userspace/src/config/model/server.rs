//! A server of a service.

use std::{fmt, net::IpAddr};

use lb_common::mac::Mac;

use super::health::Health;

/// One of the machines behind a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Of the service's address family.
    pub address: IpAddr,
    /// Where its frames go.
    pub mac: ServerMac,
    /// The VLAN in which they go; `None`: that in which they came.
    pub vlan: Option<Vlan>,
    /// How many consecutive slots it stands for; at least 1.
    pub weight: u32,
    /// Whether it takes flows, as far as the configuration and commands say.
    pub state: State,
    /// What was found out about it, and decides beside the state.
    pub health: Health,
}

/// Where a server's frames go, and how that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerMac {
    /// The configuration says so.
    Given(Mac),
    /// The neighbour table said so.
    Resolved(Mac),
    /// Not known yet: to be resolved before it is published.
    Unresolved,
}

/// What a frame's outer tag becomes on its way to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vlan {
    /// There is none; one that came is taken off.
    Untagged,
    /// It names this VLAN, 1 to 4094; one is put on where none came.
    Tagged(u16),
}

/// Whether a server takes flows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// It does.
    #[default]
    Up,
    /// Its flows go to the servers that are up.
    Down,
}

impl ServerMac {
    /// The address, if it is known.
    pub const fn get(self) -> Option<Mac> {
        match self {
            Self::Given(mac) | Self::Resolved(mac) => Some(mac),
            Self::Unresolved => None,
        }
    }
}

impl Vlan {
    /// What a configuration's number means; the number is not more than 4094.
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
