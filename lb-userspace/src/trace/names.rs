//! What services and servers were called when a packet was sent: by the configuration that was in force then.
//!
//! Trap: a half is overwritten by the publication after the next. So every configuration is read soon after it comes in force and
//! kept for a while; an event of one that was missed nevertheless has no names rather than wrong ones.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use lb_common::key::{Kind, family_of};

use super::event::Told;
use crate::{
    config::model::{Direction, Fragments, Service},
    datapath::{Datapath, Snapshot},
};

/// How many configurations are remembered.
const KEPT: usize = 8;

/// The configurations of late.
#[derive(Debug)]
pub struct Names<'a> {
    datapath: &'a Datapath,
    generations: VecDeque<Generation>,
}

#[derive(Debug)]
struct Generation {
    snapshot: Snapshot,
    /// The service and the server of each counter.
    counters: HashMap<u32, (usize, usize)>,
}

/// Who took a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    /// The service.
    pub service: Option<&'a Service>,
    /// The server.
    pub server: Option<IpAddr>,
}

impl<'a> Names<'a> {
    /// Knows what is in force.
    pub fn new(datapath: &'a Datapath) -> Self {
        let mut names = Self { datapath, generations: VecDeque::new() };
        names.refresh();
        names
    }

    /// Reads what has come in force. To be called often, and before events are read.
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

    /// Who took the packet, as it was called then.
    pub fn of(&self, told: &Told) -> Named<'_> {
        let generation = told.control().generation();
        let found = self.generations.iter().find(|known| known.snapshot.control.generation() == generation);
        found.map(|found| found.named(told)).unwrap_or_default()
    }

    /// What is in force.
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

    fn named(&self, told: &Told) -> Named<'_> {
        let services = &self.snapshot.config.services;
        match told.counter().and_then(|counter| self.counters.get(&counter)) {
            Some((service, server)) => {
                let service = &services[*service];
                Named { service: Some(service), server: service.servers.get(*server).map(|server| server.address) }
            }
            None => {
                let mut fitting = services.iter().filter(|service| fits(service, told));
                // Fragments that pass have a cell that may be several services'.
                let service = fitting.next().filter(|_| fitting.next().is_none());
                Named { service, server: None }
            }
        }
    }
}

/// Whether the cell that took the packet is this service's.
fn fits(service: &Service, told: &Told) -> bool {
    let (tag, Some(tuple)) = (told.event.tag, told.tuple()) else { return false };
    let (kind, protocol, port) = ((tag >> 4) & 0x0f, (tag >> 8) as u8, (tag >> 16) as u16);
    let net = service.address;
    let longest = net.max_prefix_len();
    let is = |one: Kind, other: Kind| kind == one as u32 || kind == other as u32;
    let is_prefix = kind >= Kind::PrefixPort as u32 && kind <= Kind::PrefixFragment as u32;
    // The cell's prefix is of 128 bits, also of an IPv4 address.
    let length = if is_prefix { told.event.prefix.checked_sub(128 - u32::from(longest)) } else { Some(longest.into()) };
    let sided = if told.is_reply() { Direction::takes_reply } else { Direction::takes_forward };
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
            service.protocol == Some(protocol) && (balances || told.event.slots == 0)
        }
}
