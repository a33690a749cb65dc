//! The lists that a service had before ↔ [`PreviousRecord`]s.

use lb_common::{limits::MAX_PREVIOUS, mac::Mac, record::PreviousRecord};

use super::bytes::{address, octets};
use crate::config::model::PreviousServer;

/// The records of a service's lists, one list after the other.
pub(in crate::datapath) fn previous_records(
    lists: &[Vec<PreviousServer>],
) -> impl Iterator<Item = PreviousRecord> + '_ {
    lists.iter().take(MAX_PREVIOUS).flatten().map(|server| {
        let PreviousServer { address, mac, weight, idle } = *server;
        PreviousRecord {
            address: octets(address),
            mac: mac.unwrap_or_default().0,
            mac_given: mac.is_some().into(),
            idle: idle.into(),
            weight,
            reserved: 0,
        }
    })
}

/// How many servers each list has.
pub(super) fn lengths(lists: &[Vec<PreviousServer>]) -> [u32; MAX_PREVIOUS] {
    let mut lengths = [0; MAX_PREVIOUS];
    for (length, list) in lengths.iter_mut().zip(lists) {
        *length = list.len() as u32;
    }
    lengths
}

/// The reverse of both; `family` is the service's.
pub(super) fn previous(
    mut records: &[PreviousRecord],
    lengths: [u32; MAX_PREVIOUS],
    family: u8,
) -> Vec<Vec<PreviousServer>> {
    let mut lists = Vec::new();
    for length in lengths.into_iter().take_while(|length| *length != 0) {
        // A half that is being overwritten may have any number.
        let Some((list, rest)) = records.split_at_checked(length as usize) else { break };
        lists.push(list.iter().map(|record| server(record, family)).collect());
        records = rest;
    }
    lists
}

fn server(record: &PreviousRecord, family: u8) -> PreviousServer {
    let PreviousRecord { address: octets, mac, mac_given, idle, weight, reserved: _ } = *record;
    PreviousServer {
        address: address(&octets, family),
        mac: (mac_given == 1).then_some(Mac(mac)),
        weight,
        idle: idle == 1,
    }
}
