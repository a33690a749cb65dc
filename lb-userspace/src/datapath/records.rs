//! What is configured → the records that user space keeps of it: pure. `snapshot` reads them back.

use std::net::IpAddr;

use lb_common::{
    limits::MAX_NAME_BYTES,
    record::{GroupRecord, ServerRecord, ServiceRecord},
    table::{Counter, Remote},
};

use super::layout::Place;
use crate::config::model::{Direction, Formula, Fragments, Group, Selection, Server, ServerMac, Service, State};

/// A service as configured; where its parts are is not known yet.
pub(super) fn service_record(service: &Service) -> ServiceRecord {
    let mut name = [0; MAX_NAME_BYTES];
    let bytes = service.name.as_bytes();
    name[..bytes.len()].copy_from_slice(bytes);
    ServiceRecord {
        name,
        address: octets(service.address.addr()),
        departed: Counter::default(),
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
    }
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

/// A server with its place and counter.
pub(super) fn server_record(server: &Server, place: Place, counter: u32) -> ServerRecord {
    ServerRecord {
        address: octets(server.address),
        mac: server.mac.get().unwrap_or_default().0,
        mac_given: matches!(server.mac, ServerMac::Given(_)).into(),
        up: (server.state == State::Up).into(),
        weight: server.weight,
        counter,
        place: match place {
            Place::Back => ServerRecord::BACK,
            Place::Here => ServerRecord::HERE,
            Place::Behind { interface, .. } => interface,
        },
        vlan: vlan(server),
    }
}

/// What a server's frames are tagged with, as the datapath knows it.
pub(super) fn vlan(server: &Server) -> u32 {
    server.vlan.map_or(Remote::KEEP, |vlan| vlan.number().into())
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
