//! Reads the active half, without a lock.
//!
//! Trap: after two publications a writer overwrites the half that is being read. So a reader compares the generation
//! before and after, and starts over if it changed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::{Ordering, fence},
};

use lb_common::{
    control::Control,
    mac::Mac,
    record::{DrainingRecord, HalfRecord, PreviousRecord, ServerRecord, ServiceRecord},
};

use super::{
    maps::Maps,
    records::{group, peers, service},
};
use crate::{
    config::model::{Config, Role},
    datapath::{capacities::Capacities, place::Location},
    decide::slots::Refinement,
};

/// The contents of the active half.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The control word.
    pub control: Control,
    /// The configuration, without interfaces.
    pub config: Config,
    /// Where the servers are, by service and server.
    pub locations: Vec<Vec<Location>>,
    /// The half's record.
    pub record: HalfRecord,
    /// The services' records.
    pub services: Vec<ServiceRecord>,
    /// The servers' records, of all services.
    pub servers: Vec<ServerRecord>,
    /// The records of servers of previous lists, of all services.
    pub previous: Vec<PreviousRecord>,
    /// Counters of former servers.
    pub draining: Vec<DrainingRecord>,
}

impl Snapshot {
    /// Reads the active half.
    pub fn read(maps: &Maps, capacities: &Capacities, role: Role) -> Self {
        loop {
            let control = maps.control.load();
            let snapshot = Self::read_half(maps, capacities, control, role);
            // Else a CPU with weakly ordered loads might read the word before the last of the half.
            fence(Ordering::Acquire);
            if maps.control.load().generation() == control.generation() {
                return snapshot;
            }
        }
    }

    fn read_half(maps: &Maps, capacities: &Capacities, control: Control, role: Role) -> Self {
        let half = control.half() as usize;
        let record = maps.halves.get(half);
        let first = |capacity: u32| half * capacity as usize;
        // A half that is being overwritten may hold any number. The result is then discarded, but reading must stay
        // within the map.
        let count = |count: u32, capacity: u32| count.min(capacity) as usize;
        let services = maps.services.read(first(capacities.services), count(record.services, capacities.services));
        let servers = maps.servers.read(first(capacities.servers), count(record.servers, capacities.servers));
        let draining = maps.draining.read(first(capacities.draining()), count(record.draining, capacities.draining()));
        let previous = maps.previous.read(first(capacities.previous()), count(record.previous, capacities.previous()));
        let mut snapshot = Self { control, record, services, servers, previous, draining, ..Self::default() };
        snapshot.config = Config {
            interfaces: Vec::new(),
            role,
            group: group(&snapshot.record.group),
            max_hand_ons: snapshot.record.max_hand_ons.checked_sub(1),
            peers: peers(&snapshot.record.peers, snapshot.record.peer_count),
            services: snapshot
                .services
                .iter()
                .map(|record| service(record, snapshot.servers_of(record), snapshot.previous_of(record)))
                .collect(),
        };
        let location = |server: &ServerRecord| {
            let counters = capacities.counters();
            let next_hop = || maps.next_hops.get(first(counters) + count(server.counter, counters - 1));
            Location::from_number(server.location, || Mac(next_hop().source))
        };
        snapshot.locations =
            snapshot.services.iter().map(|record| snapshot.servers_of(record).iter().map(location).collect()).collect();
        snapshot
    }

    /// How fine its tables are.
    pub const fn refinement(&self) -> Refinement {
        Refinement::from_slots(self.record.refined_slots)
    }

    /// The records of a service's servers.
    pub fn servers_of(&self, service: &ServiceRecord) -> &[ServerRecord] {
        let first = service.first_server as usize;
        self.servers.get(first..first + service.servers as usize).unwrap_or_default()
    }

    /// The records of a service's previous lists, one list after the other.
    pub fn previous_of(&self, service: &ServiceRecord) -> &[PreviousRecord] {
        let first = service.first_previous as usize;
        let servers: usize = service.previous.iter().map(|servers| *servers as usize).sum();
        self.previous.get(first..first + servers).unwrap_or_default()
    }

    /// Every server of every service, with its counter.
    pub fn counted(&self) -> impl Iterator<Item = (&str, IpAddr, u32)> {
        self.config.services.iter().zip(&self.services).flat_map(|(service, record)| {
            let servers = service.servers.iter().zip(self.servers_of(record));
            servers.map(|(server, record)| (service.name.as_str(), server.address, record.counter))
        })
    }

    /// The counter of each server of each service.
    pub fn counters(&self) -> HashMap<(&str, IpAddr), u32> {
        self.counted().map(|(service, server, counter)| ((service, server), counter)).collect()
    }
}
