//! Readings for tests.

use std::{
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

use lb_common::{formula::Formula, mac::Mac, outcome::Outcome};

use super::reading::{Reading, Used};
use crate::{
    config::{
        model::{Direction, Selection, State},
        standing::Standing,
    },
    datapath::Capacities,
    output::{
        Activity, CapacityView, OutcomesView, ServerStats, ServerView, ServiceStats, ServiceView, StatsView,
        StatusView, Traffic,
        testing::{interface, traffic},
    },
};

/// A service's name, and for each server its state, weight and packets.
pub type ServiceSpec<'a> = (&'a str, &'a [(State, u32, u64)]);

/// The address of a server.
pub fn address(number: usize) -> IpAddr {
    [10, 0, (number / 200) as u8, (11 + number % 200) as u8].into()
}

/// A reading of these services, `seconds` after a fixed moment.
pub fn reading(start: Instant, seconds: u64, services: &[ServiceSpec<'_>]) -> Reading {
    let stats: Vec<_> = services.iter().map(service_stats).collect();
    let forwarded = stats.iter().map(|service| service.total.packets).sum();
    let views: Vec<_> = services.iter().map(service_view).collect();
    let used = views.iter().map(|service| service.servers.len() as u32).sum();
    Reading {
        at: start + Duration::from_secs(seconds),
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds),
        generation: 1,
        status: StatusView {
            version: "0.1.0".into(),
            abi: lb_common::abi::ABI,
            role: "balancer".into(),
            state: Activity::Active,
            digest: "0123456789abcdef".into(),
            proof: None,
            member: None,
            keep: None,
            peers: Vec::new(),
            unconfirmed: None,
            agent: None,
            interfaces: vec![interface()],
            problems: Vec::new(),
            capacity: CapacityView::default(),
            services: views,
        },
        stats: StatsView {
            outcomes: OutcomesView::new(|outcome| {
                if outcome == Outcome::Forwarded { traffic(forwarded) } else { Traffic::default() }
            }),
            services: stats,
        },
        capacities: Capacities::default(),
        used: Used { services: services.len() as u32, slots: used, servers: used },
    }
}

fn service_stats(&(name, servers): &ServiceSpec<'_>) -> ServiceStats {
    let each = servers.iter().enumerate();
    ServiceStats {
        name: name.into(),
        total: traffic(servers.iter().map(|(.., packets)| packets).sum()),
        servers: each
            .map(|(number, (.., packets))| ServerStats { address: address(number), total: traffic(*packets) })
            .collect(),
        taken_last: None,
    }
}

fn service_view(&(name, servers): &ServiceSpec<'_>) -> ServiceView {
    let server = |(number, &(state, weight, _)): (usize, &(State, u32, u64))| ServerView {
        address: address(number),
        mac: Some(Mac([2, 0, 0, 0, 0, number as u8])),
        vlan: None,
        weight,
        state: match state {
            State::Up => Standing::Up,
            State::Down => Standing::Down { since: 0, by_hand: None },
        },
        since: None,
        reason: None,
        by_hand: None,
        until: None,
    };
    ServiceView {
        name: name.into(),
        address: "203.0.113.10".into(),
        protocol: Some("tcp".into()),
        port: Some(443),
        formula: Formula::ThreeTuple,
        direction: Direction::Forward,
        selection: Selection::Modulo,
        n: servers.iter().map(|(_, weight, _)| weight).sum(),
        slots: servers.len() as u32,
        digest: "fedcba9876543210".into(),
        servers: servers.iter().enumerate().map(server).collect(),
        sockets: None,
        transition: None,
    }
}
