//! Explains what happens to a packet by the configuration alone, with the arithmetic.

use std::net::IpAddr;

use lb_common::{
    flow::protocol::{self, has_ports},
    mac::Mac,
    outcome::Outcome,
};
use num_bigint::BigUint;
use serde::{Serialize, Serializer};

use super::{
    judge::{Addend, Judge, Tuple, addends},
    keep::{explained::Explained, members},
    peers::PeerRule,
    slots::Refinement,
};
use crate::config::{
    model::{Config, Direction, Formula, Health, Role, Service, State, Vlan},
    protocol::protocol_name,
    standing::Standing,
};

/// One end of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port, if given.
    pub port: Option<u16>,
}

/// The packet in question.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// The sender.
    pub source: Endpoint,
    /// The destination.
    pub destination: Endpoint,
    /// The IP protocol number.
    pub protocol: u8,
    /// The MAC that its frame comes from; `None`: that of no peer.
    pub from: Option<Mac>,
}

impl Packet {
    /// The packet with source and destination swapped.
    const fn swapped(&self) -> Self {
        Self { source: self.destination, destination: self.source, ..*self }
    }
}

/// Why the packet is not possible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The addresses are of different families.
    #[error("{0} and {1} are not of the same address family")]
    Families(IpAddr, IpAddr),
    /// A port is given, but the protocol has none.
    #[error("{0} has no ports; leave them out")]
    NoPorts(String),
    /// No port is given, but the protocol has one.
    #[error("{0} packets have ports; write the destination as {1}")]
    NoDestinationPort(String, String),
    /// The formula needs the source port.
    #[error("service {0} counts the source port (5-tuple); write the source as {1}")]
    NoSourcePort(String, String),
    /// The packet comes from a service, whose port the formula needs.
    #[error("the packet comes from service {0}, which counts its own port; write the source as {1}")]
    NoServicePort(String, String),
}

/// Facts about this host that the configuration does not contain; the default is a host without addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost<'a> {
    /// By service and server, whether the server is this host.
    pub here: &'a [Vec<bool>],
    /// This host's own addresses, which no prefix service takes.
    pub own: &'a [IpAddr],
    /// By service, whose frames are not balanced again.
    pub peers: &'a [PeerRule],
    /// How fine the instance's tables are.
    pub refinement: Refinement,
}

/// What becomes of the service's frames that its peers send.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FromPeers {
    /// `local` or `loop`.
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Outcome,
    /// The peers' MACs.
    #[serde(serialize_with = "serialize_macs")]
    pub macs: Vec<Mac>,
    /// Whether the packet comes from one of them.
    pub applies: bool,
}

/// A server that takes no flows, whose packets go to others.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Absent {
    /// Its address.
    pub server: IpAddr,
    /// Its state.
    pub state: &'static str,
    /// The reason for the state, in words, if there is one.
    pub reason: Option<String>,
}

impl Absent {
    /// The server that the sum means, if it takes no flows.
    fn of(service: &Service, sum: &BigUint) -> Option<Self> {
        let standings: Vec<_> = service.standings().collect();
        if standings.iter().all(Standing::takes_flows) {
            return None;
        }
        let mut healthy = service.clone();
        for server in &mut healthy.servers {
            (server.state, server.health) = (State::Up, Health::default());
        }
        let healthy = [healthy];
        let judge = Judge::new(&healthy, &[]);
        let number = usize::from(judge.table(0).get(judge.slot(0, sum)?)?);
        let standing = standings.get(number).filter(|standing| !standing.takes_flows())?;
        let reason = standing.reason(|index| format!("interface {index}"));
        Some(Self { server: service.servers[number].address, state: standing.name(), reason })
    }
}

/// What happens to a packet, and why. Parts that do not apply are `None`.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The outcome.
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Outcome,
    /// The name of the service that matches.
    pub service: Option<String>,
    /// The service's formula.
    #[serde(serialize_with = "serialize_formula")]
    pub formula: Option<Formula>,
    /// Whether the packet goes to the service or comes from it. For a reply, source and destination are swapped.
    #[serde(serialize_with = "serialize_direction")]
    pub direction: Option<Direction>,
    /// The exact sum, in decimal: it may exceed 128 bits.
    pub sum: Option<String>,
    /// N, the sum of the weights.
    pub n: Option<u32>,
    /// T, the number of slots.
    pub slots: Option<u32>,
    /// The slot: the sum modulo T.
    pub slot: Option<u32>,
    /// The server that the slot names.
    pub server: Option<IpAddr>,
    /// The server's MAC.
    #[serde(serialize_with = "serialize_mac")]
    pub mac: Option<Mac>,
    /// The VLAN of the outer tag of frames to the server; 0: no tag; `None`: tags stay as they are.
    pub vlan: Option<u16>,
    /// What becomes of the service's frames that its peers send.
    pub from_peers: Option<FromPeers>,
    /// The server that takes the packet while all servers take flows, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Absent>,
    /// Who may hold the packet's connection, where the role or previous lists ask for it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Explained>,
    /// The addends of the sum: labels and decimal numbers.
    #[serde(skip)]
    pub addends: Vec<(String, String)>,
}

/// Explains what happens to a packet.
///
/// # Errors
///
/// The packet is not possible.
pub fn explain(config: &Config, host: ThisHost<'_>, packet: &Packet) -> Result<Explanation, Error> {
    check(packet)?;
    let judge = Judge::new(&config.services, host.own).with_peers(host.peers).refined(host.refinement);
    let (index, direction) = match judge.service(&packet.tuple()) {
        Ok(found) => found,
        Err(outcome) => return Ok(Explanation::of(outcome)),
    };
    let packet = match direction {
        Direction::Reply => packet.swapped(),
        Direction::Forward | Direction::Both => *packet,
    };
    let service = &config.services[index];
    check_ports(service, &packet)?;
    let tuple = packet.tuple();
    let (sum, table) = (judge.sum(index, &tuple), judge.table(index));
    let rule = host.peers.get(index).filter(|rule| !rule.macs.is_empty());
    let from_peer = judge.peer_rule(index, packet.from);
    let matched = Explanation {
        service: Some(service.name.clone()),
        formula: Some(service.formula),
        direction: Some(direction),
        sum: Some(sum.to_string()),
        n: Some(service.n()),
        slots: Some(table.len()),
        from_peers: rule.map(|rule| FromPeers {
            outcome: rule.outcome(),
            macs: rule.macs.iter().copied().collect(),
            applies: from_peer.is_some(),
        }),
        keep: keep(config.role, service, &sum, &packet),
        addends: addends(service.formula, &tuple)
            .map(|(addend, number)| (label(addend, &tuple), number.to_string()))
            .collect(),
        ..Explanation::of(Outcome::NoServer)
    };
    let Some(slot) = judge.slot(index, &sum) else { return Ok(matched) };
    let Some(number) = table.get(slot).map(usize::from) else { return Ok(matched) };
    let number = match from_peer {
        Some(PeerRule { here: None, .. }) => {
            return Ok(Explanation { outcome: Outcome::Loop, slot: Some(slot), ..matched });
        }
        Some(PeerRule { here: Some(here), .. }) => *here,
        None => number,
    };
    let here = host.here.get(index).and_then(|servers| servers.get(number)).copied().unwrap_or_default();
    let server = &service.servers[number];
    Ok(Explanation {
        outcome: match (config.role, here) {
            (Role::Member, true) => Outcome::Accepted,
            (Role::Member, false) => Outcome::Others,
            (Role::Balancer | Role::Steer | Role::Keep, true) => Outcome::Local,
            (Role::Keep, false) if packet.protocol == protocol::TCP => Outcome::HandedOn,
            // What has no connections is taken by whichever server balancers send it to.
            (Role::Keep, false) => Outcome::Local,
            (Role::Balancer | Role::Steer, false) => Outcome::Forwarded,
        },
        slot: Some(slot),
        server: Some(server.address),
        mac: server.mac.get(),
        vlan: server.vlan.map(Vlan::number),
        instead_of: if from_peer.is_some() { None } else { Absent::of(service, &sum) },
        ..matched
    })
}

/// Who may hold the packet's connection. Only TCP has connections that are kept.
fn keep(role: Role, service: &Service, sum: &BigUint, packet: &Packet) -> Option<Explained> {
    if role == Role::Member {
        let asked_for = packet.protocol == protocol::TCP && members::is_shared(service);
        return asked_for.then(|| Explained::of_group(service, sum));
    }
    let asked_for = role == Role::Keep || !service.previous.is_empty();
    let port = packet.destination.port.unwrap_or_default();
    (asked_for && packet.protocol == protocol::TCP).then(|| {
        Explained::of(service, sum, (packet.source.address, packet.source.port), (packet.destination.address, port))
    })
}

impl Explanation {
    /// An explanation with only the outcome.
    pub const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            service: None,
            formula: None,
            direction: None,
            sum: None,
            n: None,
            slots: None,
            slot: None,
            server: None,
            mac: None,
            vlan: None,
            from_peers: None,
            instead_of: None,
            keep: None,
            addends: Vec::new(),
        }
    }
}

impl Packet {
    /// Missing ports count as 0.
    fn tuple(&self) -> Tuple {
        let Self { source, destination, protocol, from: _ } = *self;
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
    let Packet { source, destination, protocol, from: _ } = packet;
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

/// Checks that the ports that the formula needs are given.
fn check_ports(service: &Service, packet: &Packet) -> Result<(), Error> {
    let Packet { source, destination, protocol, from: _ } = packet;
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

fn serialize_outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.name())
}

fn serialize_direction<S: Serializer>(direction: &Option<Direction>, serializer: S) -> Result<S::Ok, S::Error> {
    direction.map(Direction::name).serialize(serializer)
}

fn serialize_formula<S: Serializer>(formula: &Option<Formula>, serializer: S) -> Result<S::Ok, S::Error> {
    formula.map(Formula::name).serialize(serializer)
}

fn serialize_mac<S: Serializer>(mac: &Option<Mac>, serializer: S) -> Result<S::Ok, S::Error> {
    match mac {
        Some(mac) => serializer.collect_str(mac),
        None => serializer.serialize_none(),
    }
}

fn serialize_macs<S: Serializer>(macs: &[Mac], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(macs.iter().map(ToString::to_string))
}
