//! What the active half holds, read without a lock.
//!
//! Trap: a writer may replace the half that is being read, after two publications. A reader therefore looks at the
//! generation again when it has everything, and starts over if it moved.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::IpNet;
use lb_common::{
    control::Control,
    formula::Formula,
    mac::Mac,
    record::{CheckRecord, DrainingRecord, GroupRecord, HalfRecord, ServerRecord, ServiceRecord},
    table::NextHop,
};

use super::{instance::Capacities, layout::Place, maps::Maps};
use crate::config::check::{Check, Kind};
use crate::config::health::{Failing, Failure, Health, Missing, Unresolved};
use crate::config::model::{
    Config, Direction, Fragments, Group, Role, Selection, Server, ServerMac, Service, State, Vlan,
};

/// The contents of the active half.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The word that was in force.
    pub control: Control,
    /// What is configured, but for the interfaces.
    pub config: Config,
    /// Where the servers are, by service and server.
    pub places: Vec<Vec<Place>>,
    /// How much there is.
    pub record: HalfRecord,
    /// The services' records.
    pub services: Vec<ServiceRecord>,
    /// The servers' records, of all services.
    pub servers: Vec<ServerRecord>,
    /// Counters of servers that left.
    pub draining: Vec<DrainingRecord>,
}

impl Snapshot {
    /// Reads the active half.
    pub fn read(maps: &Maps, capacities: &Capacities, role: Role) -> Self {
        loop {
            let control = maps.control.load();
            let snapshot = Self::read_half(maps, capacities, control, role);
            if maps.control.load().generation() == control.generation() {
                return snapshot;
            }
        }
    }

    fn read_half(maps: &Maps, capacities: &Capacities, control: Control, role: Role) -> Self {
        let half = control.half() as usize;
        let record = maps.halves.get(half);
        let first = |capacity: u32| half * capacity as usize;
        // A half that is being replaced may say anything; what is read then is thrown away, but must be within the map.
        let count = |count: u32, capacity: u32| count.min(capacity) as usize;
        let services = maps.services.read(first(capacities.services), count(record.services, capacities.services));
        let servers = maps.servers.read(first(capacities.servers), count(record.servers, capacities.servers));
        let draining = maps.draining.read(first(capacities.draining()), count(record.draining, capacities.draining()));
        let mut snapshot = Self { control, record, services, servers, draining, ..Self::default() };
        snapshot.config = Config {
            interfaces: Vec::new(),
            role,
            group: group(&snapshot.record.group),
            services: snapshot.services.iter().map(|record| service(record, snapshot.servers_of(record))).collect(),
        };
        let place = |server: &ServerRecord| match server.place {
            ServerRecord::SAME_PORT => Place::Back,
            ServerRecord::LOCAL => Place::Here,
            interface => {
                let next_hop =
                    maps.next_hops.get(first(capacities.counters()) + count(server.counter, capacities.counters() - 1));
                Place::Behind { interface, source: Mac(next_hop.source) }
            }
        };
        snapshot.places =
            snapshot.services.iter().map(|record| snapshot.servers_of(record).iter().map(place).collect()).collect();
        snapshot
    }

    /// The records of a service's servers.
    pub fn servers_of(&self, service: &ServiceRecord) -> &[ServerRecord] {
        let first = service.first_server as usize;
        self.servers.get(first..first + service.servers as usize).unwrap_or_default()
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

fn service(record: &ServiceRecord, servers: &[ServerRecord]) -> Service {
    let address = address(&record.address, record.family);
    Service {
        name: text(&record.name),
        address: IpNet::new(address, record.prefix).unwrap_or_else(|_| address.into()),
        protocol: u8::try_from(record.protocol).ok(),
        port: Some(record.port).filter(|port| *port != 0),
        formula: if record.formula == 5 { Formula::FiveTuple } else { Formula::ThreeTuple },
        selection: match record.resilient_slots {
            0 => Selection::Modulo,
            slots => Selection::Resilient { slots },
        },
        fragments: if record.fragments == 1 { Fragments::Balance } else { Fragments::Pass },
        direction: match record.direction {
            2 => Direction::Reply,
            3 => Direction::Both,
            _ => Direction::Forward,
        },
        check: check(&record.check, record.family),
        servers: servers.iter().map(|server| self::server(server, record.family)).collect(),
    }
}

fn check(record: &CheckRecord, family: u8) -> Option<Check> {
    let kind = match record.kind {
        1 => Kind::Tcp,
        2 => Kind::Http,
        3 => Kind::Https,
        4 => Kind::Icmp,
        _ => return None,
    };
    let milliseconds = |number: u32| Duration::from_millis(number.into());
    Some(Check {
        kind,
        port: Some(record.port).filter(|port| *port != 0),
        path: text(&record.path),
        host: Some(text(&record.host)).filter(|host| !host.is_empty()),
        expect: (record.expect_first, record.expect_last),
        verify: record.verify == 1,
        interval: milliseconds(record.interval_ms),
        timeout: milliseconds(record.timeout_ms),
        rise: record.rise,
        fall: record.fall,
        source: Some(address(&record.source, family)).filter(|address| !address.is_unspecified()),
        min_up: record.min_up,
    })
}

/// Text that is padded with zeros.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// What was found out about a server.
fn health(record: &ServerRecord) -> Health {
    let holds = |reason: u8| record.reasons & reason != 0;
    Health {
        down_since: record.down_since,
        failing: holds(ServerRecord::FAILING).then_some(Failing {
            since: record.failing_since,
            why: match record.failing_why {
                1 => Failure::Timeout,
                2 => Failure::Refused,
                3 => Failure::Unreachable,
                4 => Failure::Status(record.failing_detail as u16),
                5 => Failure::Tls,
                _ => Failure::Other,
            },
        }),
        unresolved: holds(ServerRecord::UNRESOLVED).then_some(Unresolved {
            since: record.unresolved_since,
            why: match record.unresolved_why {
                1 => Missing::NoRoute,
                2 => Missing::Router,
                3 => Missing::NotAttached,
                _ => Missing::NoAnswer,
            },
            on: record.unresolved_on,
        }),
    }
}

fn group(record: &GroupRecord) -> Group {
    let own = record.own.iter().take(record.own_count as usize);
    Group {
        own: own.map(|octets| Ipv6Addr::from(*octets).to_canonical()).collect(),
        mac: Some(Mac(record.mac)).filter(|mac| *mac != Mac::ZERO),
        promiscuous: record.flags & GroupRecord::PROMISCUOUS != 0,
        answer_arp: record.flags & GroupRecord::ANSWER_ARP != 0,
    }
}

fn server(record: &ServerRecord, family: u8) -> Server {
    let mac = Mac(record.mac);
    Server {
        address: address(&record.address, family),
        mac: match record.mac_given {
            1 => ServerMac::Given(mac),
            _ if mac == Mac::ZERO => ServerMac::Unresolved,
            _ => ServerMac::Resolved(mac),
        },
        vlan: match record.vlan {
            NextHop::KEEP => None,
            number => Some(Vlan::from_number(number as u16)),
        },
        weight: record.weight,
        state: if record.reasons & ServerRecord::DOWN == 0 { State::Up } else { State::Down },
        health: health(record),
    }
}

fn address(bytes: &[u8; 16], family: u8) -> IpAddr {
    let [a, b, c, d, ..] = *bytes;
    if family == 6 { Ipv6Addr::from(*bytes).into() } else { Ipv4Addr::new(a, b, c, d).into() }
}
