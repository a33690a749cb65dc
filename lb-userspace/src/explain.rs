//! What happens to a packet, by the configuration alone: with big integers, apart from the datapath's arithmetic.

use std::net::IpAddr;

use lb_common::{flow::protocol::has_ports, outcome::Outcome};
use num_bigint::BigUint;

use crate::{
    cli::Endpoint,
    config::{
        model::{Config, Direction, Formula, Role, Service},
        protocol::protocol_name,
    },
    datapath::Place,
    output::ExplainView,
    slots::SlotTable,
};

/// The packet in question.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Who sends it.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// The IP protocol number.
    pub protocol: u8,
}

impl Packet {
    /// The same packet as its service sees it that it comes from.
    const fn swapped(&self) -> Self {
        Self { source: self.destination, destination: self.source, protocol: self.protocol }
    }
}

/// Why a question makes no sense.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// No packet goes from one family to the other.
    #[error("{0} and {1} are not of the same address family")]
    Families(IpAddr, IpAddr),
    /// A port where the protocol has none.
    #[error("{0} has no ports; leave them out")]
    NoPorts(String),
    /// No port where the protocol has one.
    #[error("{0} packets have ports; write the destination as {1}")]
    NoDestinationPort(String, String),
    /// The formula counts the source port.
    #[error("service {0} counts the source port (5-tuple); write the source as {1}")]
    NoSourcePort(String, String),
    /// The packet comes from a service whose port counts.
    #[error("service {0}, from which the packet comes, counts its own port; write the source as {1}")]
    NoServicePort(String, String),
}

/// What is known of the host beside the configuration; nothing of a host that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host<'a> {
    /// Where the servers are, by service and server.
    pub places: &'a [Vec<Place>],
    /// Addresses that no prefix service takes.
    pub own: &'a [IpAddr],
}

/// Says what happens to a packet.
///
/// # Errors
///
/// There is no such packet.
pub fn explain(config: &Config, host: Host<'_>, packet: &Packet) -> Result<ExplainView, Error> {
    check(packet)?;
    let forward = matching(&config.services, host.own, packet, Direction::takes_forward);
    // A prefix takes what comes from this host, whose own addresses no prefix is asked for otherwise.
    let reply = || matching(&config.services, &[], &packet.swapped(), Direction::takes_reply);
    let (index, packet, direction) = match forward {
        Some(index) => (index, *packet, Direction::Forward),
        None => match reply() {
            Some(index) => (index, packet.swapped(), Direction::Reply),
            None => return Ok(ExplainView::of(Outcome::NoService)),
        },
    };
    let (service, packet) = (&config.services[index], &packet);
    if has_ports(packet.protocol) && packet.destination.port.is_none() {
        return Err(Error::NoServicePort(service.name.clone(), with_port(packet.destination.address)));
    }
    let addends = addends(service, packet)?;
    let sum: BigUint = addends.iter().map(|(_, number)| number).sum();
    let table = SlotTable::build(service);
    let matched = ExplainView {
        service: Some(service.name.clone()),
        formula: Some(service.formula),
        direction: Some(direction),
        sum: Some(sum.to_string()),
        n: Some(service.n()),
        slots: Some(table.len()),
        addends: addends.into_iter().map(|(label, number)| (label, number.to_string())).collect(),
        ..ExplainView::of(Outcome::NoServer)
    };
    if table.all_down() {
        return Ok(matched);
    }
    let slot = remainder(&sum, table.len());
    let Some(number) = table.get(slot).map(usize::from) else { return Ok(matched) };
    let here = host.places.get(index).and_then(|places| places.get(number)) == Some(&Place::Here);
    let server = &service.servers[number];
    Ok(ExplainView {
        outcome: match (config.role, here) {
            (Role::Member, true) => Outcome::Accepted,
            (Role::Member, false) => Outcome::Others,
            (Role::Balancer | Role::Steer, true) => Outcome::Local,
            (Role::Balancer | Role::Steer, false) => Outcome::Forwarded,
        },
        slot: Some(slot),
        server: Some(server.address),
        mac: server.mac.get(),
        ..matched
    })
}

fn check(packet: &Packet) -> Result<(), Error> {
    let Packet { source, destination, protocol } = packet;
    if source.address.is_ipv4() != destination.address.is_ipv4() {
        return Err(Error::Families(source.address, destination.address));
    }
    let name = || protocol_name(*protocol).into_owned();
    match (has_ports(*protocol), source.port, destination.port) {
        (true, _, None) => Err(Error::NoDestinationPort(name(), with_port(destination.address))),
        (false, Some(_), _) | (false, _, Some(_)) => Err(Error::NoPorts(name())),
        (true, _, Some(_)) | (false, None, None) => Ok(()),
    }
}

fn with_port(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{v4}:PORT"),
        IpAddr::V6(v6) => format!("[{v6}]:PORT"),
    }
}

/// The most specific service that the packet fits: the longest prefix first, then protocol, then port.
fn matching(services: &[Service], own: &[IpAddr], packet: &Packet, takes: impl Fn(Direction) -> bool) -> Option<usize> {
    let destination = packet.destination.address;
    let taken = !is_special(destination) && !own.contains(&destination);
    let fits = |service: &Service| {
        takes(service.direction)
            && service.address.contains(&destination)
            && (taken || !service.is_prefix())
            && service.protocol.is_none_or(|protocol| protocol == packet.protocol)
            && service.port.is_none_or(|port| Some(port) == packet.destination.port)
    };
    let fitting = services.iter().enumerate().filter(|(_, service)| fits(service));
    let rank = |service: &Service| (service.address.prefix_len(), service.protocol.is_some(), service.port.is_some());
    fitting.max_by_key(|(_, service)| rank(service)).map(|(index, _)| index)
}

/// What no prefix service takes, whoever the host is.
fn is_special(address: IpAddr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || match address {
            IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        }
}

fn addends(service: &Service, packet: &Packet) -> Result<Vec<(String, BigUint)>, Error> {
    let Packet { source, destination, protocol } = packet;
    let port = |end: &str, port: u16| (format!("{end} port"), BigUint::from(port));
    let address = |end: &str, address: IpAddr| (format!("{end} address {address}"), number(address));
    let mut addends = vec![address("source", source.address)];
    if service.formula == Formula::FiveTuple {
        let missing = || Error::NoSourcePort(service.name.clone(), with_port(source.address));
        addends.push(port("source", if has_ports(*protocol) { source.port.ok_or_else(missing)? } else { 0 }));
    }
    addends.push(address("destination", destination.address));
    addends.push(port("destination", destination.port.unwrap_or_default()));
    if service.formula == Formula::FiveTuple {
        addends.push((format!("protocol {}", protocol_name(*protocol)), BigUint::from(*protocol)));
    }
    Ok(addends)
}

fn number(address: IpAddr) -> BigUint {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits().into(),
    }
}

/// `slots` is not 0: a table with a server that is up has a slot.
fn remainder(sum: &BigUint, slots: u32) -> u32 {
    (sum % slots).iter_u32_digits().next().unwrap_or_default()
}
