//! What happens to a packet, by the configuration alone, with the arithmetic: the judge's answer in words.

use std::net::IpAddr;

use lb_common::{flow::protocol::has_ports, outcome::Outcome};

use crate::{
    cli::Endpoint,
    config::{
        model::{Config, Direction, Formula, Role, Service, Vlan},
        protocol::protocol_name,
    },
    datapath::Place,
    judge::{Addend, Judge, Tuple, addends},
    output::ExplainView,
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
    let judge = Judge::new(&config.services, host.own);
    let (index, direction) = match judge.service(&packet.tuple()) {
        Ok(found) => found,
        Err(outcome) => return Ok(ExplainView::of(outcome)),
    };
    let packet = match direction {
        Direction::Reply => packet.swapped(),
        Direction::Forward | Direction::Both => *packet,
    };
    let service = &config.services[index];
    check_ports(service, &packet)?;
    let tuple = packet.tuple();
    let (sum, table) = (judge.sum(index, &tuple), judge.table(index));
    let matched = ExplainView {
        service: Some(service.name.clone()),
        formula: Some(service.formula),
        direction: Some(direction),
        sum: Some(sum.to_string()),
        n: Some(service.n()),
        slots: Some(table.len()),
        addends: addends(service.formula, &tuple)
            .map(|(addend, number)| (label(addend, &tuple), number.to_string()))
            .collect(),
        ..ExplainView::of(Outcome::NoServer)
    };
    let Some(slot) = judge.slot(index, &sum) else { return Ok(matched) };
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
        vlan: server.vlan.map(Vlan::number),
        ..matched
    })
}

impl Packet {
    /// Ports that are not there count as 0.
    fn tuple(&self) -> Tuple {
        let Self { source, destination, protocol } = *self;
        Tuple {
            source: source.address,
            destination: destination.address,
            source_port: source.port.unwrap_or_default(),
            destination_port: destination.port.unwrap_or_default(),
            protocol,
            fragment: false,
        }
    }
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

/// Ports that count must be known.
fn check_ports(service: &Service, packet: &Packet) -> Result<(), Error> {
    let Packet { source, destination, protocol } = packet;
    if !has_ports(*protocol) {
        return Ok(());
    }
    if destination.port.is_none() {
        return Err(Error::NoServicePort(service.name.clone(), with_port(destination.address)));
    }
    if service.formula == Formula::FiveTuple && source.port.is_none() {
        return Err(Error::NoSourcePort(service.name.clone(), with_port(source.address)));
    }
    Ok(())
}

fn label(addend: Addend, tuple: &Tuple) -> String {
    match addend {
        Addend::Source => format!("source address {}", tuple.source),
        Addend::SourcePort => "source port".to_owned(),
        Addend::Destination => format!("destination address {}", tuple.destination),
        Addend::DestinationPort => "destination port".to_owned(),
        Addend::Protocol => format!("protocol {}", protocol_name(tuple.protocol)),
    }
}
