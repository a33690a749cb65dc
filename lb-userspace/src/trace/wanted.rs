//! Which packets are told of: what the kernel looks at before it makes an event, and what is looked at here.

use std::net::IpAddr;

use anyhow::{Result, bail};
use ipnet::IpNet;
use lb_common::{
    outcome::Outcome,
    trace::{Filter, HEADERS, MAX_SNAP, Net},
};

use super::names::Named;
use crate::{cli::Which, config::protocol::parse_protocol, datapath::Snapshot};

/// What is left to be looked at here: what things are called the kernel does not know.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    service: Option<String>,
    server: Option<IpAddr>,
}

impl Wanted {
    /// Whether it is a packet that was asked for, by whoever took it.
    pub fn takes(&self, named: &Named<'_>) -> bool {
        self.service.as_ref().is_none_or(|name| named.service.is_some_and(|service| service.name == *name))
            && self.server.is_none_or(|server| named.server == Some(server))
    }
}

/// How much of a frame is copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// What shows who sends what to whom.
    Headers,
    /// As much as fits, as it came and as it left.
    Whole,
}

/// Sorts out who looks at what.
///
/// # Errors
///
/// There is no such service or server now, or no such protocol.
pub fn split(which: &Which, depth: Depth, now: &Snapshot) -> Result<(Filter, Wanted)> {
    let services = &now.config.services;
    let service = which.service.as_ref().map(|name| services.iter().find(|service| service.name == *name));
    if let (Some(None), Some(name)) = (service, &which.service) {
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        bail!("no service {name}; there are: {}", names.join(", "));
    }
    if let Some(server) = which.server
        && !services.iter().any(|service| service.servers.iter().any(|one| one.address == server))
    {
        bail!("no service has a server {server}; `modlb servers` lists them");
    }
    let protocol = which.protocol.as_deref().map(parse_protocol).transpose()?;
    // What a service takes has an address of its own, which the kernel can look at.
    let destination = which.destination.or_else(|| service.flatten().map(|service| service.address));
    let outcomes = which.outcome.iter().fold(0, |bits, outcome: &Outcome| bits | 1 << outcome.index());
    let filter = Filter {
        either: net(which.address),
        source: net(which.source),
        destination: net(destination),
        outcomes: if outcomes == 0 { u32::MAX } else { outcomes },
        port: which.port.unwrap_or_default().into(),
        protocol: protocol.map_or(Filter::ANY_PROTOCOL, u32::from),
        sample: which.sample,
        snap: if depth == Depth::Whole { MAX_SNAP } else { HEADERS },
        after: (depth == Depth::Whole).into(),
    };
    Ok((filter, Wanted { service: which.service.clone(), server: which.server }))
}

fn net(net: Option<IpNet>) -> Net {
    let Some(net) = net.map(|net| net.trunc()) else { return Net::default() };
    let (bits, family, length) = match net {
        IpNet::V4(net) => (u128::from(net.addr().to_bits()), 4, u32::from(net.prefix_len()) + 96),
        IpNet::V6(net) => (net.addr().to_bits(), 6, u32::from(net.prefix_len())),
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
    let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
    // An IPv4 address has nothing in the bits before it.
    Net { address: halves(bits), mask: halves(mask), family, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use lb_common::trace::TraceEvent;

    use super::*;

    fn told(source: &str, destination: &str) -> TraceEvent {
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
    fn prefixes_of_both_families() {
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
            assert!(source.takes(&told(fitting, other(fitting))), "{prefix}");
            assert!(!source.takes(&told(not, other(not))), "{prefix}");
            let destination = Filter { destination: net, ..Filter::ALL };
            assert!(destination.takes(&told(other(fitting), fitting)), "{prefix}");
            assert!(!destination.takes(&told(other(not), not)), "{prefix}");
            let either = Filter { either: net, ..Filter::ALL };
            assert!(either.takes(&told(other(fitting), fitting)) && either.takes(&told(fitting, other(fitting))));
        }
    }

    #[test]
    fn ports_and_protocols() {
        let told = told("10.0.0.1", "10.0.0.2");
        for (port, fit) in [(5, true), (80, true), (6, false)] {
            assert_eq!(Filter { port, ..Filter::ALL }.takes(&told), fit, "{port}");
        }
        for (protocol, fit) in [(6, true), (17, false)] {
            assert_eq!(Filter { protocol, ..Filter::ALL }.takes(&told), fit, "{protocol}");
        }
        let nothing = TraceEvent::default();
        assert!(Filter::ALL.takes(&nothing) && !Filter { protocol: 0, ..Filter::ALL }.takes(&nothing));
    }
}
