//! The whole configuration.

use std::net::IpAddr;

use lb_common::{keep::DEFAULT_MAX_HAND_ONS, mac::Mac};

use super::{
    peer::Peer,
    service::{Direction, Service},
};

/// What this host does with the formula.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// A gateway that sends each packet to the chosen server.
    #[default]
    Balancer,
    /// A server in a group that all receive every packet. It accepts those that the formula gives to it.
    Member,
    /// A server that chooses the router for what it sends.
    Steer,
    /// A server that hands packets of connections that it does not hold to the server that does.
    Keep,
}

/// Text such as "1 service" or "2 services".
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The whole configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Config {
    /// The interfaces to attach to, by name.
    pub interfaces: Vec<String>,
    /// The role of this host.
    pub role: Role,
    /// Settings of a member and its group.
    pub group: Group,
    /// Role `keep`: how many frames per second each CPU hands on at most; `None`: the default. Other roles ignore it.
    pub max_hand_ons: Option<u32>,
    /// Other balancers of the same services. Other roles have none.
    pub peers: Vec<Peer>,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
}

/// Settings of a member and its group. Other roles have the default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// The server addresses that belong to this host; empty: those of its interfaces.
    pub own: Vec<IpAddr>,
    /// The MAC to which the group's packets are addressed; a multicast MAC unless `promiscuous`.
    pub mac: Option<Mac>,
    /// The interfaces receive every frame. Without a group MAC, every frame counts as addressed to the group.
    pub promiscuous: bool,
    /// ARP requests and neighbour solicitations for services are answered with the group's MAC.
    pub answer_arp: bool,
}

impl Config {
    /// The limit in force of frames that each CPU hands on per second.
    pub fn hand_on_limit(&self) -> u32 {
        self.max_hand_ons.unwrap_or(DEFAULT_MAX_HAND_ONS)
    }

    /// A summary such as "2 services, 7 servers".
    pub fn summary(&self) -> String {
        let servers = self.services.iter().map(|service| service.listed().count()).sum();
        format!("{}, {}", count(self.services.len(), "service"), count(servers, "server"))
    }

    /// In roles that keep connections, adds the servers that only `previous` lists have; see
    /// [`Service::update_former_servers`].
    pub fn update_former_servers(&mut self) {
        if matches!(self.role, Role::Keep | Role::Member) {
            self.services.iter_mut().for_each(Service::update_former_servers);
        }
    }

    /// The service of this name, to be changed. Call [`Config::validate`] afterwards.
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
            Self::Keep => "keep",
        }
    }

    /// Whether its program is an XDP program, else one of traffic control.
    pub const fn runs_xdp(self) -> bool {
        match self {
            Self::Balancer | Self::Member => true,
            Self::Steer | Self::Keep => false,
        }
    }

    /// Where its program of traffic control runs, in output.
    pub const fn tc_hook(self) -> &'static str {
        match self {
            Self::Keep => "ingress",
            Self::Balancer | Self::Member | Self::Steer => "egress",
        }
    }

    /// The default direction of services. A server that steers sends replies.
    pub const fn default_direction(self) -> Direction {
        match self {
            Self::Balancer | Self::Member | Self::Keep => Direction::Forward,
            Self::Steer => Direction::Reply,
        }
    }
}
