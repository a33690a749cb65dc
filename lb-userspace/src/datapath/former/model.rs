//! Records of ABI 6 → the model.

use std::{net::Ipv6Addr, time::Duration};

use ipnet::IpNet;
use lb_common::mac::Mac;

use super::shapes;
use crate::{
    config::model::{
        Check, Failing, Failure, Formula, Group, Health, Initial, Method, Missing, Selection, Server, ServerMac,
        Service, State, Unresolved, Vlan,
    },
    datapath::store::records::{address, direction, formula, fragments, kind, missing, text},
};

/// A member and its group.
pub fn group(record: &shapes::Group) -> Group {
    let own = record.own.iter().take(record.own_count as usize);
    Group {
        own: own.map(|octets| Ipv6Addr::from(*octets).to_canonical()).collect(),
        mac: Some(Mac(record.mac)).filter(|mac| *mac != Mac::ZERO),
        promiscuous: record.flags & shapes::PROMISCUOUS != 0,
        answer_arp: record.flags & shapes::ANSWER_ARP != 0,
    }
}

/// A service with its servers.
pub fn service(record: &shapes::Service, servers: &[shapes::Server]) -> Service {
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
        sockets: None,
        check: check(&record.check, family),
        servers: servers.iter().map(|record| server(record, family)).collect(),
        previous: Vec::new(),
    }
}

fn check(record: &shapes::Check, family: u8) -> Option<Check> {
    let milliseconds = |number: u32| Duration::from_millis(number.into());
    Some(Check {
        kind: kind(record.kind)?,
        port: Some(record.port).filter(|port| *port != 0),
        path: text(&record.path),
        host: text(&record.host).parse().ok(),
        sni: None,
        method: Method::Get,
        body: None,
        expect: (record.expect_first, record.expect_last),
        verify: record.verify == 1,
        interval: milliseconds(record.interval_ms),
        timeout: milliseconds(record.timeout_ms),
        rise: record.rise,
        fall: record.fall,
        source: Some(address(&record.source, family)).filter(|address| !address.is_unspecified()),
        min_up: record.min_up,
        initial: Initial::Up,
    })
}

fn server(record: &shapes::Server, family: u8) -> Server {
    let mac = Mac(record.mac);
    Server {
        address: address(&record.address, family),
        mac: match record.mac_given {
            1 => ServerMac::Given(mac),
            _ if mac == Mac::ZERO => ServerMac::Unresolved,
            // This version did not record on which interface.
            _ => ServerMac::Resolved { mac, on: 0 },
        },
        vlan: match record.vlan {
            shapes::KEEP => None,
            number => Some(Vlan::from_number(number as u16)),
        },
        weight: record.weight,
        state: if record.reasons & shapes::DOWN == 0 { State::Up } else { State::Down },
        health: health(record),
    }
}

fn health(record: &shapes::Server) -> Health {
    let holds = |reason: u8| record.reasons & reason != 0;
    Health {
        down_since: record.down_since,
        // This version did not record it.
        by_hand: None,
        failing: holds(shapes::FAILING).then_some(Failing {
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
        unresolved: holds(shapes::UNRESOLVED).then_some(Unresolved {
            since: record.unresolved_since,
            why: missing(record.unresolved_why).unwrap_or(Missing::NoAnswer),
            on: record.unresolved_on,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Kind;

    /// A record of zeros, which is one of a server that is up.
    fn zeros() -> shapes::Server {
        shapes::Server {
            address: [0; 16],
            mac: [0; 6],
            mac_given: 0,
            up: 1,
            weight: 1,
            counter: 0,
            location: 0,
            vlan: shapes::KEEP,
            down_since: 0,
            failing_since: 0,
            unresolved_since: 0,
            failing_detail: 0,
            unresolved_on: 0,
            reasons: 0,
            failing_why: 0,
            unresolved_why: 0,
            reserved: [0; 5],
        }
    }

    #[test]
    fn every_reason_for_which_a_server_takes_no_flows() {
        let healthy = server(&zeros(), 4);
        assert_eq!((healthy.state, healthy.health, healthy.vlan), (State::Up, Health::default(), None));
        for (failing_why, why) in [
            (0, Failure::Other),
            (1, Failure::Timeout),
            (2, Failure::Refused),
            (3, Failure::Unreachable),
            (4, Failure::Status(503)),
            (5, Failure::Tls),
        ] {
            let reasons = shapes::DOWN | shapes::FAILING | shapes::UNRESOLVED;
            let record = shapes::Server {
                reasons,
                failing_why,
                failing_detail: 503,
                failing_since: 7,
                down_since: 8,
                unresolved_since: 9,
                unresolved_why: 2,
                unresolved_on: 3,
                ..zeros()
            };
            let Server { state, health, .. } = server(&record, 6);
            assert_eq!((state, health.down_since), (State::Down, 8));
            assert_eq!(health.failing, Some(Failing { since: 7, why }));
            assert_eq!(health.unresolved, Some(Unresolved { since: 9, why: Missing::Router, on: 3 }));
        }
    }

    #[test]
    fn where_a_mac_came_from() {
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        let with = |mac_given, mac: Mac| server(&shapes::Server { mac_given, mac: mac.0, ..zeros() }, 4).mac;
        assert_eq!(with(1, mac), ServerMac::Given(mac));
        assert_eq!(with(0, mac), ServerMac::Resolved { mac, on: 0 });
        assert_eq!(with(0, Mac::ZERO), ServerMac::Unresolved);
    }

    #[test]
    fn checks_and_groups() {
        let mut path = [0; 128];
        path[..2].copy_from_slice(b"/x");
        let record = shapes::Check {
            path,
            host: [0; 128],
            source: [0; 16],
            interval_ms: 1_500,
            timeout_ms: 20,
            rise: 2,
            fall: 3,
            port: 0,
            expect_first: 200,
            expect_last: 299,
            kind: 3,
            verify: 1,
            min_up: 4,
        };
        let found = check(&record, 4).unwrap();
        assert_eq!((found.kind, found.path.as_str(), found.host, found.port), (Kind::Https, "/x", None, None));
        assert_eq!((found.interval.as_millis(), found.timeout.as_millis(), found.source), (1_500, 20, None));
        assert_eq!((found.rise, found.fall, found.expect, found.verify, found.min_up), (2, 3, (200, 299), true, 4));
        assert!(check(&shapes::Check { kind: 0, ..record }, 4).is_none());

        let mut own = [[0; 16]; 8];
        own[0] = "::ffff:10.0.0.7".parse::<Ipv6Addr>().unwrap().octets();
        let record =
            shapes::Group { own, own_count: 1, flags: shapes::ANSWER_ARP, mac: [1, 0, 0, 0, 0, 9], reserved: [0; 2] };
        let found = group(&record);
        assert_eq!(found.own, ["10.0.0.7".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!((found.promiscuous, found.answer_arp, found.mac), (false, true, Some(Mac([1, 0, 0, 0, 0, 9]))));
    }
}
