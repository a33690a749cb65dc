//! The whole configuration.

use std::net::IpAddr;

use lb_common::mac::Mac;

use super::service::{Direction, Service};

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

/// "1 service" and "2 services".
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
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

impl Config {
    /// Like "2 services, 7 servers".
    pub fn summary(&self) -> String {
        let servers = self.services.iter().map(|service| service.servers.len()).sum();
        format!("{}, {}", count(self.services.len(), "service"), count(servers, "server"))
    }

    /// The service of this name, to be changed; [`Config::check`] judges the result.
    pub fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.name == name)
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
