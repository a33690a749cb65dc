//! The configuration after validation: types that cannot be wrong.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
pub use lb_common::formula::Formula;
use lb_common::mac::Mac;

use super::{
    check, check::Check, draft::Draft, error::ConfigError, group, health::Health, protocol::protocol_name, rules,
};

/// What this host does with the formula.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// A gateway that sends each packet on to the chosen server.
    #[default]
    Balancer,
    /// One of a group in which everybody receives every packet: takes what the formula gives to it.
    Member,
    /// A server that chooses the router for what it sends.
    Steer,
}

/// The whole configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// The interfaces to attach to, by name.
    pub interfaces: Vec<String>,
    /// What this host does.
    pub role: Role,
    /// What a member is told of itself and its group.
    pub group: Group,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
}

/// What a member is told of itself and its group. Other roles have the default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// The server addresses that are this host; none: those that its interfaces have.
    pub own: Vec<IpAddr>,
    /// The MAC to which the group's packets are addressed; a multicast MAC unless `promiscuous`.
    pub mac: Option<Mac>,
    /// The interfaces are to take every frame. Without a MAC of the group, all of them count as addressed to it.
    pub promiscuous: bool,
    /// Who asks for a service's MAC is told that of the group.
    pub answer_arp: bool,
}

/// What is balanced, how, and over which servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Unique, 1 to 64 bytes, printable, without white space.
    pub name: String,
    /// The destination; a full-length network is a plain address.
    pub address: IpNet,
    /// The IP protocol number; `None`: any.
    pub protocol: Option<u8>,
    /// The destination port, only with a protocol that has ports; `None`: any.
    pub port: Option<u16>,
    /// What is added up.
    pub formula: Formula,
    /// How the slots are dealt.
    pub selection: Selection,
    /// What happens to fragments where the service names a port.
    pub fragments: Fragments,
    /// Which packets of its sessions are taken.
    pub direction: Direction,
    /// How its servers are checked; `None`: they are not.
    pub check: Option<Check>,
    /// The servers, in the order that the formula counts them in.
    pub servers: Vec<Server>,
}

/// How a service's slots are dealt to its servers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Selection {
    /// `sum % N`, exactly.
    #[default]
    Modulo,
    /// `sum % slots`, with a table that changes little when the list of servers does.
    Resilient {
        /// T, a prime of at most 65,521.
        slots: u32,
    },
}

/// What happens to fragments.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fragments {
    /// They pass to the kernel.
    #[default]
    Pass,
    /// They are balanced by their addresses alone.
    Balance,
}

/// Which packets of a service's sessions are taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// Those to the service.
    #[default]
    Forward,
    /// Those from the service: its address is their source.
    Reply,
    /// Both; a session's two directions give one number.
    Both,
}

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

impl Config {
    /// The service of this name, to be changed; [`Config::check`] judges the result.
    pub fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.name == name)
    }

    /// Judges a configuration that was built or changed here by the rules that a file is judged by.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with everything that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let drafts: Vec<_> = self.services.iter().map(Draft::from).collect();
        let mut problems = group::problems(self.role, &self.group, &drafts);
        problems.extend(rules::problems(&self.interfaces, &drafts));
        problems.extend(check::problems(self.role, &drafts));
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }
}

impl Service {
    /// N: the sum of the weights.
    pub fn n(&self) -> u32 {
        self.servers.iter().map(|server| server.weight).sum()
    }

    /// Whether the destination is more than one address.
    pub fn is_prefix(&self) -> bool {
        self.address.prefix_len() < self.address.max_prefix_len()
    }

    /// Whether its address is one whose MAC a group tells to who asks: packets go to it, and it is one address.
    pub fn is_announced(&self) -> bool {
        !self.is_prefix() && self.direction.takes_forward()
    }

    /// What the service answers to: `203.0.113.10:443/tcp`, `[2001:db8::1]:443/tcp`, `203.0.113.10/esp` or
    /// `203.0.113.10`.
    pub fn target(&self) -> String {
        target(self.address, self.protocol, self.port)
    }
}

/// A destination as text; see [`Service::target`].
pub(super) fn target(address: IpNet, protocol: Option<u8>, port: Option<impl fmt::Display>) -> String {
    let protocol = protocol.map_or_else(String::new, |protocol| format!("/{}", protocol_name(protocol)));
    let address =
        if address.prefix_len() == address.max_prefix_len() { address.addr().to_string() } else { address.to_string() };
    match port {
        None => format!("{address}{protocol}"),
        Some(port) if address.contains(':') => format!("[{address}]:{port}{protocol}"),
        Some(port) => format!("{address}:{port}{protocol}"),
    }
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

impl Role {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balancer => "balancer",
            Self::Member => "member",
            Self::Steer => "steer",
        }
    }

    /// The direction of services that do not say theirs: a steering server sends replies.
    pub const fn default_direction(self) -> Direction {
        match self {
            Self::Balancer | Self::Member => Direction::Forward,
            Self::Steer => Direction::Reply,
        }
    }
}

impl Direction {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reply => "reply",
            Self::Both => "both",
        }
    }

    /// Whether packets to the service are taken.
    pub const fn takes_forward(self) -> bool {
        matches!(self, Self::Forward | Self::Both)
    }

    /// Whether packets from the service are taken.
    pub const fn takes_reply(self) -> bool {
        matches!(self, Self::Reply | Self::Both)
    }
}

impl Selection {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modulo => "modulo",
            Self::Resilient { .. } => "resilient",
        }
    }
}

impl Fragments {
    /// The name in configurations and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Balance => "balance",
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
