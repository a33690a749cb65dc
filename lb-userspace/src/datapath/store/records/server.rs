//! A server ↔ [`ServerRecord`].

use lb_common::{
    mac::Mac,
    record::ServerRecord,
    table::{Counter, NextHop},
};

use super::{
    bytes::{address, octets},
    numbers::{missing, missing_number},
};
use crate::{
    config::model::{ByHand, Failing, Failure, Health, Missing, Server, ServerMac, State, Unresolved, Vlan},
    datapath::place::Location,
};

/// The record of a server with its location and counter, and whether it takes flows. `former` is still zero.
pub(in crate::datapath) fn server_record(
    server: &Server,
    takes_flows: bool,
    location: Location,
    counter: u32,
) -> ServerRecord {
    let Server { address, mac, vlan, weight, state, health } = server;
    let Health { down_since, by_hand, failing, unresolved } = *health;
    let reasons = [
        (*state == State::Down, ServerRecord::DOWN),
        (failing.is_some(), ServerRecord::FAILING),
        (unresolved.is_some(), ServerRecord::UNRESOLVED),
    ];
    let (failing_why, failing_detail) = failing.map_or((0, 0), |failing| failure_numbers(failing.why));
    ServerRecord {
        address: octets(*address),
        mac: mac.get().unwrap_or_default().0,
        mac_given: matches!(mac, ServerMac::Given(_)).into(),
        up: takes_flows.into(),
        weight: *weight,
        counter,
        location: location.number(),
        vlan: vlan_number(*vlan),
        down_since: down_since.try_into().unwrap_or(u32::MAX),
        down_until: down_until(by_hand),
        failing_since: failing.map_or(0, |failing| failing.since),
        unresolved_since: unresolved.map_or(0, |unresolved| unresolved.since),
        former: Counter::default(),
        failing_detail,
        unresolved_on: unresolved.map_or(0, |unresolved| unresolved.on),
        reasons: reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).sum(),
        failing_why,
        unresolved_why: unresolved.map_or(0, |unresolved| missing_number(unresolved.why)),
        reserved: 0,
        found_on: if let ServerMac::Resolved { on, .. } = mac { *on } else { 0 },
    }
}

/// The reverse; `family` is the service's.
pub(super) fn server(record: &ServerRecord, family: u8) -> Server {
    let mac = Mac(record.mac);
    Server {
        address: address(&record.address, family),
        mac: match record.mac_given {
            1 => ServerMac::Given(mac),
            _ if mac == Mac::ZERO => ServerMac::Unresolved,
            _ => ServerMac::Resolved { mac, on: record.found_on },
        },
        vlan: vlan(record.vlan),
        weight: record.weight,
        state: if record.reasons & ServerRecord::DOWN == 0 { State::Up } else { State::Down },
        health: health(record),
    }
}

fn health(record: &ServerRecord) -> Health {
    let holds = |reason: u8| record.reasons & reason != 0;
    Health {
        down_since: record.down_since.into(),
        by_hand: by_hand(record.down_until),
        failing: holds(ServerRecord::FAILING).then_some(Failing {
            since: record.failing_since,
            why: failure(record.failing_why, record.failing_detail),
        }),
        unresolved: holds(ServerRecord::UNRESOLVED).then_some(Unresolved {
            since: record.unresolved_since,
            why: missing(record.unresolved_why).unwrap_or(Missing::NoAnswer),
            on: record.unresolved_on,
        }),
    }
}

/// What ends it that a server is down by command.
fn down_until(by_hand: Option<ByHand>) -> u32 {
    match by_hand {
        None => 0,
        Some(ByHand::NextFile) => ServerRecord::DOWN_UNTIL_NEXT_FILE,
        Some(ByHand::Until(until)) => {
            until.clamp(ServerRecord::DOWN_UNTIL_NEXT_FILE + 1, ServerRecord::DOWN_UNTIL_SERVER_UP - 1)
        }
        Some(ByHand::ServerUp) => ServerRecord::DOWN_UNTIL_SERVER_UP,
    }
}

/// The reverse.
const fn by_hand(until: u32) -> Option<ByHand> {
    match until {
        0 => None,
        ServerRecord::DOWN_UNTIL_NEXT_FILE => Some(ByHand::NextFile),
        ServerRecord::DOWN_UNTIL_SERVER_UP => Some(ByHand::ServerUp),
        until => Some(ByHand::Until(until)),
    }
}

/// The VLAN of a server as the datapath stores it.
pub(in crate::datapath) fn vlan_number(vlan: Option<Vlan>) -> u32 {
    vlan.map_or(NextHop::KEEP, |vlan| vlan.number().into())
}

/// The reverse.
const fn vlan(number: u32) -> Option<Vlan> {
    match number {
        NextHop::KEEP => None,
        number => Some(Vlan::from_number(number as u16)),
    }
}

/// Why a check fails, as two numbers: the reason and its detail.
const fn failure_numbers(why: Failure) -> (u8, u32) {
    match why {
        Failure::Other => (0, 0),
        Failure::Timeout => (1, 0),
        Failure::Refused => (2, 0),
        Failure::Unreachable => (3, 0),
        Failure::Status(status) => (4, status as u32),
        Failure::Tls => (5, 0),
        Failure::Body => (6, 0),
        Failure::NotChecked => (7, 0),
    }
}

/// The reverse.
const fn failure(why: u8, detail: u32) -> Failure {
    match why {
        1 => Failure::Timeout,
        2 => Failure::Refused,
        3 => Failure::Unreachable,
        4 => Failure::Status(detail as u16),
        5 => Failure::Tls,
        6 => Failure::Body,
        7 => Failure::NotChecked,
        _ => Failure::Other,
    }
}
