//! Which packets to trace: what the kernel filters before it makes an event, and what is filtered here.

use std::net::IpAddr;

use anyhow::{Result, bail};
use ipnet::IpNet;
use lb_common::{
    outcome::Outcome,
    trace::{Filter, HEADERS, MAX_SNAP, Net},
};

use super::names::Takers;
use crate::{config::protocol::parse_protocol, datapath::Snapshot};

/// Which packets to trace: those that match every condition.
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    /// Client or service address, or a prefix.
    pub address: Option<IpNet>,
    /// Client address or prefix.
    pub source: Option<IpNet>,
    /// Service address or prefix.
    pub destination: Option<IpNet>,
    /// Client or service port.
    pub port: Option<u16>,
    /// The protocol: a name or a number.
    pub protocol: Option<String>,
    /// The service that took it, by name.
    pub service: Option<String>,
    /// The server that was chosen.
    pub server: Option<IpAddr>,
    /// One of these outcomes; empty: any.
    pub outcomes: Vec<Outcome>,
    /// Sampling: report one in this many matching packets (at least 1).
    pub sample: u32,
}

/// The part of the query that is checked in user space: the kernel does not know names.
#[derive(Clone, Debug, Default)]
pub struct NameFilter {
    service: Option<String>,
    server: Option<IpAddr>,
}

impl NameFilter {
    /// Whether a packet that these took matches.
    pub fn takes(&self, takers: &Takers<'_>) -> bool {
        self.service.as_ref().is_none_or(|name| takers.service.is_some_and(|service| service.name == *name))
            && self.server.is_none_or(|server| takers.server == Some(server))
    }
}

/// How much of a frame to copy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// The headers.
    Headers,
    /// As much as fits, both as it came and as it left.
    Whole,
}

/// Splits a query into the kernel's part and the part for user space.
///
/// # Errors
///
/// There is no such service or server now, or no such protocol.
pub fn split(query: &TraceQuery, depth: Depth, now: &Snapshot) -> Result<(Filter, NameFilter)> {
    let services = &now.config.services;
    let service = query.service.as_ref().map(|name| services.iter().find(|service| service.name == *name));
    if let (Some(None), Some(name)) = (service, &query.service) {
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        bail!("no service {name}; there are: {}", names.join(", "));
    }
    if let Some(server) = query.server
        && !services.iter().any(|service| service.servers.iter().any(|one| one.address == server))
    {
        bail!("no service has a server {server}; `modlb servers` lists them");
    }
    let protocol = query.protocol.as_deref().map(parse_protocol).transpose()?;
    // A service's packets have its address, which the kernel can check.
    let destination = query.destination.or_else(|| service.flatten().map(|service| service.address));
    let outcomes = query.outcomes.iter().fold(0, |bits, outcome: &Outcome| bits | 1 << outcome.index());
    let filter = Filter {
        either: net(query.address),
        source: net(query.source),
        destination: net(destination),
        outcomes: if outcomes == 0 { u32::MAX } else { outcomes },
        port: query.port.unwrap_or_default().into(),
        protocol: protocol.map_or(Filter::ANY_PROTOCOL, u32::from),
        sample: query.sample,
        snap: if depth == Depth::Whole { MAX_SNAP } else { HEADERS },
        after: (depth == Depth::Whole).into(),
    };
    Ok((filter, NameFilter { service: query.service.clone(), server: query.server }))
}

fn net(net: Option<IpNet>) -> Net {
    let Some(net) = net.map(|net| net.trunc()) else { return Net::default() };
    let (bits, family, length) = match net {
        IpNet::V4(net) => (u128::from(net.addr().to_bits()), 4, u32::from(net.prefix_len()) + 96),
        IpNet::V6(net) => (net.addr().to_bits(), 6, u32::from(net.prefix_len())),
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
    let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
    // The bits in front of an IPv4 address are zero.
    Net { address: halves(bits), mask: halves(mask), family, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use lb_common::trace::TraceEvent;

    use super::*;

    fn event(source: &str, destination: &str) -> TraceEvent {
        let halves = |text: &str| -> ([u64; 2], u8) {
            match text.parse().unwrap() {
                IpAddr::V4(address) => ([0, address.to_bits().into()], 4),
                IpAddr::V6(address) => ([(address.to_bits() >> 64) as u64, address.to_bits() as u64], 6),
            }
        };
        let ((source, family), (destination, _)) = (halves(source), halves(destination));
        TraceEvent {
            source,
            destination,
            family,
            source_port: 5,
            destination_port: 80,
            protocol: 6,
            ..TraceEvent::default()
        }
    }

    #[test]
    fn filters_match_prefixes_of_both_families() {
        for (prefix, fitting, not) in [
            ("203.0.113.0/24", "203.0.113.10", "203.0.114.10"),
            ("0.0.0.0/0", "203.0.113.10", "2001:db8::1"),
            ("203.0.113.10/32", "203.0.113.10", "203.0.113.11"),
            ("2001:db8::/33", "2001:db8::1", "2001:db8:8000::1"),
            ("2001:db8::/64", "2001:db8::1", "2001:db8:0:1::1"),
            ("2001:db8::/96", "2001:db8::1:1", "2001:db8::1:0:1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("::/0", "2001:db8::1", "203.0.113.10"),
        ] {
            let net = net(Some(prefix.parse().unwrap()));
            let other = |address: &str| if address.contains(':') { "fd00::9" } else { "10.9.9.9" };
            let source = Filter { source: net, ..Filter::ALL };
            assert!(source.takes(&event(fitting, other(fitting))), "{prefix}");
            assert!(!source.takes(&event(not, other(not))), "{prefix}");
            let destination = Filter { destination: net, ..Filter::ALL };
            assert!(destination.takes(&event(other(fitting), fitting)), "{prefix}");
            assert!(!destination.takes(&event(other(not), not)), "{prefix}");
            let either = Filter { either: net, ..Filter::ALL };
            assert!(either.takes(&event(other(fitting), fitting)) && either.takes(&event(fitting, other(fitting))));
        }
    }

    #[test]
    fn filters_match_ports_and_protocols() {
        let event = event("10.0.0.1", "10.0.0.2");
        for (port, fit) in [(5, true), (80, true), (6, false)] {
            assert_eq!(Filter { port, ..Filter::ALL }.takes(&event), fit, "{port}");
        }
        for (protocol, fit) in [(6, true), (17, false)] {
            assert_eq!(Filter { protocol, ..Filter::ALL }.takes(&event), fit, "{protocol}");
        }
        let nothing = TraceEvent::default();
        assert!(Filter::ALL.takes(&nothing) && !Filter { protocol: 0, ..Filter::ALL }.takes(&nothing));
    }
}
