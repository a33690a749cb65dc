//! What is configured → the records that user space keeps of it: pure. `snapshot` reads them back.

use std::net::IpAddr;

use lb_common::{
    limits::MAX_NAME_BYTES,
    record::{CheckRecord, GroupRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop},
};

use super::layout::Place;
use crate::config::check::{Check, Kind};
use crate::config::health::{Failure, Missing};
use crate::config::model::{Direction, Formula, Fragments, Group, Selection, Server, ServerMac, Service, State};

/// A service as configured; where its parts are is not known yet.
pub(super) fn service_record(service: &Service) -> ServiceRecord {
    let mut name = [0; MAX_NAME_BYTES];
    let bytes = service.name.as_bytes();
    name[..bytes.len()].copy_from_slice(bytes);
    ServiceRecord {
        name,
        address: octets(service.address.addr()),
        former: Counter::default(),
        digest: 0,
        resilient_slots: match service.selection {
            Selection::Modulo => 0,
            Selection::Resilient { slots } => slots,
        },
        n: service.n(),
        slots: 0,
        first_slot: 0,
        first_server: 0,
        servers: service.servers.len() as u32,
        first_counter: 0,
        protocol: service.protocol.map_or(-1, i16::from),
        port: service.port.unwrap_or_default(),
        family: if service.address.addr().is_ipv4() { 4 } else { 6 },
        prefix: service.address.prefix_len(),
        formula: match service.formula {
            Formula::ThreeTuple => 3,
            Formula::FiveTuple => 5,
        },
        fragments: match service.fragments {
            Fragments::Pass => 0,
            Fragments::Balance => 1,
        },
        direction: match service.direction {
            Direction::Forward => 1,
            Direction::Reply => 2,
            Direction::Both => 3,
        },
        reserved: [0; 3],
        check: service.check.as_ref().map_or(CheckRecord::NONE, check_record),
    }
}

fn check_record(check: &Check) -> CheckRecord {
    let mut record = CheckRecord {
        source: check.source.map_or([0; 16], octets),
        interval_ms: check.interval.as_millis() as u32,
        timeout_ms: check.timeout.as_millis() as u32,
        rise: check.rise,
        fall: check.fall,
        port: check.port.unwrap_or_default(),
        expect_first: check.expect.0,
        expect_last: check.expect.1,
        kind: match check.kind {
            Kind::Tcp => 1,
            Kind::Http => 2,
            Kind::Https => 3,
            Kind::Icmp => 4,
        },
        verify: check.verify.into(),
        min_up: check.min_up,
        ..CheckRecord::NONE
    };
    let host = check.host.as_deref().unwrap_or_default();
    for (place, text) in [(&mut record.path, check.path.as_str()), (&mut record.host, host)] {
        place[..text.len()].copy_from_slice(text.as_bytes());
    }
    record
}

/// What a member is told of itself and its group.
pub(super) fn group_record(group: &Group) -> GroupRecord {
    let mut record = GroupRecord { own_count: group.own.len() as u32, ..GroupRecord::default() };
    for (place, address) in record.own.iter_mut().zip(&group.own) {
        *place = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
    }
    record.mac = group.mac.unwrap_or_default().0;
    for (flag, on) in [(GroupRecord::PROMISCUOUS, group.promiscuous), (GroupRecord::ANSWER_ARP, group.answer_arp)] {
        record.flags |= if on { flag } else { 0 };
    }
    record
}

/// A server with its place and counter, and whether it takes flows.
pub(super) fn server_record(server: &Server, takes_flows: bool, place: Place, counter: u32) -> ServerRecord {
    let health = &server.health;
    let reasons = [
        (server.state == State::Down, ServerRecord::DOWN),
        (health.failing.is_some(), ServerRecord::FAILING),
        (health.unresolved.is_some(), ServerRecord::UNRESOLVED),
    ];
    let (failing_why, failing_detail) = health.failing.map_or((0, 0), |failing| failure(failing.why));
    ServerRecord {
        address: octets(server.address),
        mac: server.mac.get().unwrap_or_default().0,
        mac_given: matches!(server.mac, ServerMac::Given(_)).into(),
        up: takes_flows.into(),
        weight: server.weight,
        counter,
        place: match place {
            Place::Back => ServerRecord::SAME_PORT,
            Place::Here => ServerRecord::LOCAL,
            Place::Behind { interface, .. } => interface,
        },
        vlan: vlan(server),
        down_since: health.down_since,
        failing_since: health.failing.map_or(0, |failing| failing.since),
        unresolved_since: health.unresolved.map_or(0, |unresolved| unresolved.since),
        failing_detail,
        unresolved_on: health.unresolved.map_or(0, |unresolved| unresolved.on),
        reasons: reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).sum(),
        failing_why,
        unresolved_why: health.unresolved.map_or(0, |unresolved| match unresolved.why {
            Missing::NoAnswer => 0,
            Missing::NoRoute => 1,
            Missing::Router => 2,
            Missing::NotAttached => 3,
        }),
        reserved: [0; 5],
    }
}

/// Why a check fails, as two numbers.
const fn failure(why: Failure) -> (u8, u32) {
    match why {
        Failure::Other => (0, 0),
        Failure::Timeout => (1, 0),
        Failure::Refused => (2, 0),
        Failure::Unreachable => (3, 0),
        Failure::Status(status) => (4, status as u32),
        Failure::Tls => (5, 0),
    }
}

/// What a server's frames are tagged with, as the datapath knows it.
pub(super) fn vlan(server: &Server) -> u32 {
    server.vlan.map_or(NextHop::KEEP, |vlan| vlan.number().into())
}

/// An address as records hold it.
fn octets(address: IpAddr) -> [u8; 16] {
    let mut octets = [0; 16];
    match address {
        IpAddr::V4(v4) => octets[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => octets = v6.octets(),
    }
    octets
}
