//! A service.

use std::fmt;

use ipnet::IpNet;
use lb_common::{flow::protocol::TCP, formula::Formula};

use super::{check::Check, previous::PreviousServer, server::Server, sockets::Sockets};
use crate::config::protocol::protocol_name;

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
    /// The formula.
    pub formula: Formula,
    /// How slots are assigned to servers.
    pub selection: Selection,
    /// The handling of fragments, if the service has a port.
    pub fragments: Fragments,
    /// Which packets of its flows are taken.
    pub direction: Direction,
    /// Role `keep`: where its sockets are; `None`: in the network namespace of the interfaces.
    pub sockets: Option<Sockets>,
    /// Its health check; `None`: servers are not checked.
    pub check: Option<Check>,
    /// The servers, in the order that the formula goes by. In role `keep` those follow that only `previous` lists have;
    /// see [`Server::is_former`].
    pub servers: Vec<Server>,
    /// The server lists that it had before, the newest first; at most 8. Role `keep` goes by them.
    pub previous: Vec<Vec<PreviousServer>>,
}

/// How a service's slots are assigned to its servers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Selection {
    /// `sum % N`, exactly.
    #[default]
    Modulo,
    /// `sum % slots`, with a table that changes little when the list of servers changes.
    Resilient {
        /// T, a prime of at most 65,521.
        slots: u32,
    },
}

/// The handling of fragments.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fragments {
    /// They pass to the kernel.
    #[default]
    Pass,
    /// They are balanced by their addresses alone.
    Balance,
}

/// Which packets of a service's flows are taken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// Packets to the service.
    #[default]
    Forward,
    /// Packets from the service, whose address is their source.
    Reply,
    /// Both, as the formula gives both directions of a flow the same sum.
    Both,
}

impl Service {
    /// Those of its servers that the file lists.
    pub fn listed(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| !server.is_former())
    }

    /// Adds the servers that only `previous` lists have, and removes those that none has any more.
    pub fn update_former_servers(&mut self) {
        let mut former: Vec<_> = self.servers.extract_if(.., |server| server.is_former()).collect();
        for server in self.previous.iter().flatten() {
            if self.servers.iter().any(|known| known.address == server.address) {
                continue;
            }
            let known = former.iter().position(|known| known.address == server.address);
            let known = known.map(|index| former.swap_remove(index));
            self.servers.push(known.unwrap_or_else(|| server.as_former()));
        }
    }

    /// N: the sum of the weights.
    pub fn n(&self) -> u32 {
        self.servers.iter().map(|server| server.weight).sum()
    }

    /// How many servers its previous lists have together.
    pub fn previous_servers(&self) -> u64 {
        self.previous.iter().map(|list| list.len() as u64).sum()
    }

    /// Whether connections of it can be held.
    pub fn takes_tcp(&self) -> bool {
        self.direction.takes_forward() && self.protocol.is_none_or(|protocol| protocol == TCP)
    }

    /// Whether the destination is more than one address.
    pub fn is_prefix(&self) -> bool {
        self.address.prefix_len() < self.address.max_prefix_len()
    }

    /// Whether a member answers neighbour requests for its address: it is one address, and packets go to it.
    pub fn is_announced(&self) -> bool {
        !self.is_prefix() && self.direction.takes_forward()
    }

    /// The destination as text: `203.0.113.10:443/tcp`, `[2001:db8::1]:443/tcp`, `203.0.113.10/esp` or
    /// `203.0.113.10`.
    pub fn target(&self) -> String {
        target(self.address, self.protocol, self.port)
    }
}

/// A destination as text; see [`Service::target`].
pub(in super::super) fn target(address: IpNet, protocol: Option<u8>, port: Option<impl fmt::Display>) -> String {
    let protocol = protocol.map_or_else(String::new, |protocol| format!("/{}", protocol_name(protocol)));
    let address =
        if address.prefix_len() == address.max_prefix_len() { address.addr().to_string() } else { address.to_string() };
    match port {
        None => format!("{address}{protocol}"),
        Some(port) if address.contains(':') => format!("[{address}]:{port}{protocol}"),
        Some(port) => format!("{address}:{port}{protocol}"),
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
