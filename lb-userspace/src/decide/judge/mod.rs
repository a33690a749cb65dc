//! Decides by the configuration alone which service and server take a packet, for `explain` and for `replay` without
//! the kernel.
//!
//! It shares nothing with the datapath: sums are big integers, and services are compared with the packet key by key
//! instead of being looked up in a hash table.

use std::{
    cell::OnceCell,
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;
use lb_common::{
    flow::{Flow, V4, V6},
    mac::Mac,
    outcome::Outcome,
};
use num_bigint::BigUint;

use super::{
    peers::PeerRule,
    slots::{Refinement, SlotTable},
};
use crate::config::model::{Direction, Formula, Fragments, Service};

/// The fields of a packet that formula and services go by. The source is the client.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tuple {
    /// The client's address.
    pub source: IpAddr,
    /// The service's address.
    pub destination: IpAddr,
    /// The client's port; 0 where there are none.
    pub source_port: u16,
    /// The service's port; 0 where there are none.
    pub destination_port: u16,
    /// The IP protocol number.
    pub protocol: u8,
    /// Whether it is a fragment, which has no ports.
    pub fragment: bool,
}

impl Tuple {
    /// The tuple with source and destination swapped, for a packet that comes from a service.
    #[must_use]
    pub const fn swapped(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            ..*self
        }
    }

    fn of<A>(flow: &Flow<A>, [source, destination]: [IpAddr; 2]) -> Self {
        let Flow { source_port, destination_port, protocol, fragment, .. } = *flow;
        Self { source, destination, source_port, destination_port, protocol, fragment }
    }
}

impl From<&Flow<V4>> for Tuple {
    fn from(flow: &Flow<V4>) -> Self {
        Self::of(flow, [flow.source, flow.destination].map(|V4(bits)| IpAddr::from(bits.to_be_bytes())))
    }
}

impl From<&Flow<V6>> for Tuple {
    fn from(flow: &Flow<V6>) -> Self {
        let address = |V6(digits): V6| {
            let bits = digits.iter().fold(0_u128, |bits, digit| bits << 32 | u128::from(*digit));
            IpAddr::from(bits.to_be_bytes())
        };
        Self::of(flow, [flow.source, flow.destination].map(address))
    }
}

/// One of the numbers that a formula adds up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Addend {
    /// The client's address.
    Source,
    /// The client's port.
    SourcePort,
    /// The service's address.
    Destination,
    /// The service's port.
    DestinationPort,
    /// The IP protocol.
    Protocol,
}

/// The numbers that a formula adds up.
pub fn addends(formula: Formula, tuple: &Tuple) -> impl Iterator<Item = (Addend, u128)> {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let all = [
        (Addend::Source, number(tuple.source)),
        (Addend::SourcePort, tuple.source_port.into()),
        (Addend::Destination, number(tuple.destination)),
        (Addend::DestinationPort, tuple.destination_port.into()),
        (Addend::Protocol, tuple.protocol.into()),
    ];
    all.into_iter().filter(move |(addend, _)| match formula {
        Formula::ThreeTuple => !matches!(addend, Addend::SourcePort | Addend::Protocol),
        Formula::FiveTuple => true,
    })
}

/// Decides by these services. Slot tables are built when they are first needed.
#[derive(Debug)]
pub struct Judge<'a> {
    services: &'a [Service],
    tables: Vec<OnceCell<SlotTable>>,
    refinement: Refinement,
    /// The services of each destination.
    nets: HashMap<IpNet, Vec<usize>>,
    /// The prefix lengths of destinations, by family, the longest first.
    lengths: [Vec<u8>; 2],
    own: HashSet<IpAddr>,
    peers: &'a [PeerRule],
}

impl<'a> Judge<'a> {
    /// `own`: addresses that no prefix service takes.
    pub fn new(services: &'a [Service], own: &[IpAddr]) -> Self {
        let mut nets: HashMap<_, Vec<_>> = HashMap::new();
        for (index, service) in services.iter().enumerate() {
            nets.entry(service.address).or_default().push(index);
        }
        let lengths = [false, true].map(|six| {
            let family = nets.keys().filter(|net| net.addr().is_ipv6() == six);
            let lengths: BTreeSet<_> = family.map(|net| Reverse(net.prefix_len())).collect();
            lengths.into_iter().map(|Reverse(length)| length).collect()
        });
        let tables = services.iter().map(|_| OnceCell::new()).collect();
        let refinement = Refinement::default();
        Self { services, tables, refinement, nets, lengths, own: own.iter().copied().collect(), peers: &[] }
    }

    /// The same, with a rule for each service about frames that are not balanced again.
    #[must_use]
    pub fn with_peers(self, peers: &'a [PeerRule]) -> Self {
        Self { peers, ..self }
    }

    /// The rule of a service for frames from this MAC, if it applies.
    pub fn peer_rule(&self, service: usize, from: Option<Mac>) -> Option<&'a PeerRule> {
        self.peers.get(service).filter(|rule| rule.applies_to(from))
    }

    /// Decides by tables as an instance has them that had no room for the usual ones.
    #[must_use]
    pub fn refined(self, refinement: Refinement) -> Self {
        Self { refinement, ..self }
    }

    /// The services.
    pub const fn services(&self) -> &'a [Service] {
        self.services
    }

    /// The slot table of a service.
    pub fn table(&self, service: usize) -> &SlotTable {
        self.tables[service].get_or_init(|| SlotTable::refined(&self.services[service], self.refinement))
    }

    /// The exact sum of a service's formula.
    pub fn sum(&self, service: usize, tuple: &Tuple) -> BigUint {
        addends(self.services[service].formula, tuple).map(|(_, number)| BigUint::from(number)).sum()
    }

    /// The slot that a sum leads to; `None`: no server is up.
    pub fn slot(&self, service: usize, sum: &BigUint) -> Option<u32> {
        let table = self.table(service);
        // A table with a server that is up is not empty.
        (!table.all_down()).then(|| (sum % table.len()).iter_u32_digits().next().unwrap_or_default())
    }

    /// The service and the server that take a packet in a frame from this MAC, by their indices in the configuration.
    ///
    /// # Errors
    ///
    /// Those of [`Judge::service`], [`Outcome::NoServer`] and [`Outcome::Loop`].
    pub fn server(&self, tuple: &Tuple, from: Option<Mac>) -> Result<(usize, usize), Outcome> {
        let (service, direction) = self.service(tuple)?;
        let tuple = if direction == Direction::Reply { tuple.swapped() } else { *tuple };
        let slot = self.slot(service, &self.sum(service, &tuple)).ok_or(Outcome::NoServer)?;
        if let Some(rule) = self.peer_rule(service, from) {
            return rule.here.map(|here| (service, here)).ok_or(Outcome::Loop);
        }
        let server = self.table(service).get(slot).ok_or(Outcome::NoServer)?;
        Ok((service, server.into()))
    }

    /// The most specific service that the packet goes to, or else comes from, and which of the two it is.
    ///
    /// # Errors
    ///
    /// [`Outcome::NoService`]; for a fragment also [`Outcome::Fragment`].
    pub fn service(&self, tuple: &Tuple) -> Result<(usize, Direction), Outcome> {
        let exact = is_special(tuple.destination) || self.own.contains(&tuple.destination);
        match self.find(tuple, exact, Direction::takes_forward) {
            Err(Outcome::NoService) => {
                let swapped = tuple.swapped();
                // Here prefixes also match this host's own addresses: it is the sender.
                let found = self.find(&swapped, is_special(swapped.destination), Direction::takes_reply);
                found.map(|index| (index, Direction::Reply))
            }
            found => found.map(|index| (index, Direction::Forward)),
        }
    }

    /// Goes by the longest prefix, then protocol, then port. `exact`: no prefix matches.
    fn find(&self, tuple: &Tuple, exact: bool, takes: impl Fn(Direction) -> bool) -> Result<usize, Outcome> {
        let destination = tuple.destination;
        for &length in &self.lengths[usize::from(destination.is_ipv6())] {
            let Ok(net) = IpNet::new(destination, length) else { continue };
            if exact && length < net.max_prefix_len() {
                break;
            }
            let Some(services) = self.nets.get(&net.trunc()) else { continue };
            let services = services.iter().copied().filter(|index| takes(self.services[*index].direction));
            let found =
                if tuple.fragment { self.for_fragment(services, tuple) } else { self.for_packet(services, tuple) };
            if let Some(found) = found {
                return found;
            }
        }
        Err(Outcome::NoService)
    }

    fn for_packet(&self, services: impl Iterator<Item = usize>, tuple: &Tuple) -> Option<Result<usize, Outcome>> {
        let rank = |index: usize| {
            let service = &self.services[index];
            let fits = service.protocol.is_none_or(|protocol| protocol == tuple.protocol)
                && service.port.is_none_or(|port| port == tuple.destination_port);
            fits.then_some((service.protocol.is_some(), service.port.is_some()))
        };
        let ranked = services.filter_map(|index| Some((rank(index)?, index)));
        ranked.max().map(|(_, index)| Ok(index))
    }

    /// A fragment goes to the service of its protocol that balances fragments, else to the one without a port, else to
    /// the one for all protocols. A service with a port passes it.
    fn for_fragment(&self, services: impl Iterator<Item = usize>, tuple: &Tuple) -> Option<Result<usize, Outcome>> {
        let rank = |index: usize| {
            let service = &self.services[index];
            match (service.protocol, service.port, service.fragments) {
                (Some(protocol), _, _) if protocol != tuple.protocol => None,
                (Some(_), _, Fragments::Balance) => Some(3),
                (Some(_), None, Fragments::Pass) => Some(2),
                (None, _, _) => Some(1),
                (Some(_), Some(_), Fragments::Pass) => Some(0),
            }
        };
        let ranked = services.filter_map(|index| Some((rank(index)?, index)));
        ranked.max().map(|(rank, index)| if rank == 0 { Err(Outcome::Fragment) } else { Ok(index) })
    }
}

/// Whether an address is one that no prefix service takes on any host.
fn is_special(address: IpAddr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || match address {
            IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests;
