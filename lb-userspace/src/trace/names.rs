//! The names of services and servers, from the configuration that was in force when the packet was handled.
//!
//! Trap: the publication after the next overwrites a half. So each configuration is read soon after it comes into force
//! and kept for a while. Events of a configuration that was missed have no names rather than wrong ones.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use lb_common::key::{Kind, family_of};

use super::packet::TracedPacket;
use crate::{
    config::model::{Direction, Fragments, Service},
    datapath::{Datapath, Snapshot},
};

/// How many configurations are kept.
const KEPT: usize = 8;

/// The latest configurations.
#[derive(Debug)]
pub struct NameHistory<'a> {
    datapath: &'a Datapath,
    generations: VecDeque<Generation>,
}

#[derive(Debug)]
struct Generation {
    snapshot: Snapshot,
    /// Service and server of each counter.
    counters: HashMap<u32, (usize, usize)>,
}

/// The service and server that took a packet, as they were called then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takers<'a> {
    /// The service.
    pub service: Option<&'a Service>,
    /// The server.
    pub server: Option<IpAddr>,
}

impl<'a> NameHistory<'a> {
    /// Starts with the configuration in force.
    pub fn new(datapath: &'a Datapath) -> Self {
        let mut names = Self { datapath, generations: VecDeque::new() };
        names.refresh();
        names
    }

    /// Reads a new configuration if there is one. Call this often, and before reading events.
    pub fn refresh(&mut self) {
        let now = self.datapath.control().generation();
        if self.generations.back().is_some_and(|last| last.snapshot.control.generation() == now) {
            return;
        }
        self.generations.push_back(Generation::new(self.datapath.snapshot()));
        if self.generations.len() > KEPT {
            self.generations.pop_front();
        }
    }

    /// The service and server that took the packet.
    pub fn takers(&self, event: &TracedPacket) -> Takers<'_> {
        let generation = event.control().generation();
        let found = self.generations.iter().find(|known| known.snapshot.control.generation() == generation);
        found.map(|found| found.takers(event)).unwrap_or_default()
    }

    /// The configuration in force.
    pub fn latest(&self) -> Option<&Snapshot> {
        self.generations.back().map(|last| &last.snapshot)
    }
}

impl Generation {
    fn new(snapshot: Snapshot) -> Self {
        let mut counters = HashMap::new();
        for (service, record) in snapshot.services.iter().enumerate() {
            for (server, record) in snapshot.servers_of(record).iter().enumerate() {
                counters.insert(record.counter, (service, server));
            }
        }
        Self { snapshot, counters }
    }

    fn takers(&self, event: &TracedPacket) -> Takers<'_> {
        let services = &self.snapshot.config.services;
        match event.counter().and_then(|counter| self.counters.get(&counter)) {
            Some((service, server)) => {
                let service = &services[*service];
                Takers { service: Some(service), server: service.servers.get(*server).map(|server| server.address) }
            }
            None => {
                let mut fitting = services.iter().filter(|service| fits(service, event));
                // The cell of passed fragments may belong to several services.
                let service = fitting.next().filter(|_| fitting.next().is_none());
                Takers { service, server: None }
            }
        }
    }
}

/// Whether the matching cell belongs to this service.
fn fits(service: &Service, event: &TracedPacket) -> bool {
    let (tag, Some(tuple)) = (event.record.tag, event.tuple()) else { return false };
    let (kind, protocol, port) = ((tag >> 4) & 0x0f, (tag >> 8) as u8, (tag >> 16) as u16);
    let net = service.address;
    let longest = net.max_prefix_len();
    let is = |one: Kind, other: Kind| kind == one as u32 || kind == other as u32;
    let is_prefix = kind >= Kind::PrefixPort as u32 && kind <= Kind::PrefixFragment as u32;
    // A cell's prefix counts 128 bits, even for IPv4.
    let length =
        if is_prefix { event.record.prefix.checked_sub(128 - u32::from(longest)) } else { Some(longest.into()) };
    let sided = if event.is_reply() { Direction::takes_reply } else { Direction::takes_forward };
    tag != 0
        && family_of(tag as u8 & 0x0f) == if net.addr().is_ipv4() { 4 } else { 6 }
        && sided(service.direction)
        && length == Some(u32::from(net.prefix_len()))
        && net.contains(&tuple.destination)
        && if is(Kind::Port, Kind::PrefixPort) {
            service.protocol == Some(protocol) && service.port == Some(port)
        } else if is(Kind::Protocol, Kind::PrefixProtocol) {
            service.protocol == Some(protocol) && service.port.is_none()
        } else if is(Kind::Address, Kind::PrefixAddress) {
            service.protocol.is_none()
        } else {
            let balances = service.fragments == Fragments::Balance || service.port.is_none();
            service.protocol == Some(protocol) && (balances || event.record.slots == 0)
        }
}
