//! A service ↔ [`ServiceRecord`].

use ipnet::IpNet;
use lb_common::{
    record::{PreviousRecord, ServerRecord, ServiceRecord},
    table::Counter,
};

use super::{
    bytes::{address, octets, padded, text},
    check::{check, check_record},
    numbers::{direction, direction_number, formula, formula_number, fragments, fragments_number},
    previous::{lengths, previous},
    server::server,
};
use crate::config::model::{Formula, Selection, Service, Sockets};

/// The record of a service's configuration. Indices, counters, digest and dates are still zero.
pub(in crate::datapath) fn service_record(service: &Service) -> ServiceRecord {
    let Service {
        name,
        address,
        protocol,
        port,
        formula,
        selection,
        fragments,
        direction,
        sockets,
        check,
        servers,
        previous,
    } = service;
    ServiceRecord {
        name: padded(name),
        netns: padded(sockets.as_ref().map_or("", |sockets| sockets.netns.as_str())),
        address: octets(address.addr()),
        former: Counter::default(),
        digest: 0,
        transition_since: 0,
        resilient_slots: match *selection {
            Selection::Modulo => 0,
            Selection::Resilient { slots } => slots,
        },
        n: service.n(),
        slots: 0,
        first_slot: 0,
        first_server: 0,
        servers: servers.len() as u32,
        first_counter: 0,
        first_previous: 0,
        previous: lengths(previous),
        netns_id: sockets.as_ref().and_then(|sockets| sockets.id).unwrap_or(ServiceRecord::NO_NETNS_ID),
        taken: 0,
        protocol: protocol.map_or(-1, i16::from),
        port: port.unwrap_or_default(),
        family: if address.addr().is_ipv4() { 4 } else { 6 },
        prefix: address.prefix_len(),
        formula: formula_number(*formula),
        fragments: fragments_number(*fragments),
        direction: direction_number(*direction),
        reserved: [0; 7],
        check: check_record(check.as_ref()),
    }
}

/// The reverse, with the records of the service's servers and of its previous lists.
pub(in crate::datapath) fn service(
    record: &ServiceRecord,
    servers: &[ServerRecord],
    earlier: &[PreviousRecord],
) -> Service {
    let family = record.family;
    let address = address(&record.address, family);
    Service {
        name: text(&record.name),
        address: IpNet::new(address, record.prefix).unwrap_or_else(|_| address.into()),
        protocol: u8::try_from(record.protocol).ok(),
        port: Some(record.port).filter(|port| *port != 0),
        formula: formula(record.formula).unwrap_or(Formula::ThreeTuple),
        selection: match record.resilient_slots {
            0 => Selection::Modulo,
            slots => Selection::Resilient { slots },
        },
        fragments: fragments(record.fragments).unwrap_or_default(),
        direction: direction(record.direction).unwrap_or_default(),
        sockets: sockets(record),
        check: check(&record.check, family),
        servers: servers.iter().map(|record| server(record, family)).collect(),
        previous: previous(earlier, record.previous, family),
    }
}

fn sockets(record: &ServiceRecord) -> Option<Sockets> {
    let netns = text(&record.netns).parse().ok()?;
    Some(Sockets { netns, id: Some(record.netns_id).filter(|id| *id != ServiceRecord::NO_NETNS_ID) })
}
