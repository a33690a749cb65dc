//! Random configurations.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_common::mac::Mac;
use lb_userspace::config::model::Health;
use lb_userspace::config::model::{
    Config, Direction, Formula, Fragments, Group, Peer, PeerMac, Role, Selection, Server, ServerMac, Service, State,
    Vlan,
};

use crate::random::Random;

/// Ports of services and packets.
pub const PORTS: [u16; 4] = [80, 443, 53, 65_535];

/// Protocols of services and packets.
pub const PROTOCOLS: [u8; 12] = [6, 17, 132, 33, 136, 1, 58, 50, 51, 47, 89, 0];

/// Addresses: the first four of services, few enough that several services share one; all of packets.
pub fn address(six: bool, number: usize) -> IpAddr {
    match (six, number) {
        (false, 3) => Ipv4Addr::from_bits(u32::MAX - 1).into(),
        (false, 4) => Ipv4Addr::new(10, 0, 0, 255).into(),
        (false, 5) => Ipv4Addr::new(10, 0, 0, 1).into(),
        (false, 6) => Ipv4Addr::new(169, 254, 1, 1).into(),
        (false, 8) => Ipv4Addr::BROADCAST.into(),
        (true, 4) => Ipv6Addr::LOCALHOST.into(),
        (true, 5) => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into(),
        (true, 6) => Ipv6Addr::new(0xfebf, 0, 0, 0, 0, 0, 0, 1).into(),
        (false, number) => Ipv4Addr::new(203, 0, 113, 10 + number as u8).into(),
        (true, 3) => Ipv6Addr::from_bits(u128::MAX).into(),
        (true, number) => Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x10 + number as u16).into(),
    }
}

/// Special values of N: the largest, and those where the factor changes by which a table is refined.
const LARGE: [u32; 9] = [4_095, 4_096, 4_097, 32_768, 32_769, 65_535, MAX_N, MAX_N, MAX_N];

/// The largest N.
pub const MAX_N: u32 = 65_536;

/// Addresses that prefixes contain.
const NETS: [&str; 4] = ["203.0.113.0", "10.0.0.0", "2001:db8:f00::", "fd00::"];

/// A prefix around some address, of any length.
fn prefix(random: &mut Random, six: bool) -> IpNet {
    let near = random.pick(&NETS[if six { 2..4 } else { 0..2 }]).parse().unwrap();
    let length = match (random.below(4), six) {
        (0, _) => 0,
        (1, true) => 64,
        (1, false) => 24,
        (_, true) => random.below(128) as u8,
        (_, false) => random.below(32) as u8,
    };
    IpNet::new(near, length).unwrap().trunc()
}

/// Some services that are valid together.
pub fn any(random: &mut Random, role: Role) -> Config {
    let mut services: Vec<Service> = Vec::new();
    let mut slots = 0;
    for number in 0..random.below(9) {
        let service = service(random, number, role);
        let needed = match service.selection {
            // Refined tables have up to this many slots.
            Selection::Modulo => service.n().max(8_192),
            Selection::Resilient { slots } => slots,
        };
        let clashes = services.iter().any(|other| clash(other, &service));
        if !clashes && slots + needed <= 70_000 {
            slots += needed;
            services.push(service);
        }
    }
    let peers = if role == Role::Balancer { peers(random, &services) } else { Vec::new() };
    Config { interfaces: Vec::new(), role, group: Group::default(), max_hand_ons: None, peers, services }
}

/// In one of three configurations: servers, the gateway itself, and hosts that are not there.
fn peers(random: &mut Random, services: &[Service]) -> Vec<Peer> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    if random.once_in(3) {
        let servers: Vec<_> = services.iter().flat_map(|service| &service.servers).collect();
        addresses.extend((0..random.below(6).min(servers.len())).map(|_| random.pick(&servers).address));
        addresses.extend(random.once_in(3).then_some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
        addresses.extend(random.once_in(8).then_some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 250))));
        addresses.sort_unstable();
        addresses.dedup();
    }
    addresses.into_iter().map(|address| Peer { address, mac: PeerMac::Unresolved }).collect()
}

fn clash(a: &Service, b: &Service) -> bool {
    let both = a.address == b.address && a.protocol == b.protocol;
    let balance = |service: &Service| service.fragments == Fragments::Balance;
    both && (a.port == b.port || (balance(a) && balance(b)))
}

fn service(random: &mut Random, number: usize, role: Role) -> Service {
    let six = random.once_in(2);
    let protocol = (!random.once_in(6)).then(|| {
        loop {
            let protocol = random.pick(&PROTOCOLS);
            // ICMP belongs to one family.
            if protocol != if six { 1 } else { 58 } {
                break protocol;
            }
        }
    });
    let ports = protocol.is_some_and(|protocol| [6, 17, 132, 33, 136].contains(&protocol));
    let place = random.below(4);
    Service {
        name: format!("s{number}"),
        address: if random.once_in(3) { prefix(random, six) } else { address(six, place).into() },
        protocol,
        port: (ports && !random.once_in(4)).then(|| random.pick(&PORTS)),
        formula: if random.once_in(2) { Formula::ThreeTuple } else { Formula::FiveTuple },
        selection: if random.once_in(3) {
            Selection::Resilient { slots: random.pick(&[251, 1_021, 16_381]) }
        } else {
            Selection::Modulo
        },
        fragments: if random.once_in(3) { Fragments::Balance } else { Fragments::Pass },
        direction: match role {
            Role::Member => random.pick(&[Direction::Forward, Direction::Reply, Direction::Both]),
            Role::Balancer | Role::Steer | Role::Keep => Direction::Forward,
        },
        sockets: None,
        check: None,
        servers: servers(random, six, role),
        previous: Vec::new(),
    }
}

fn servers(random: &mut Random, six: bool, role: Role) -> Vec<Server> {
    let count = match random.below(10) {
        0 => 0,
        1 => 1,
        2 => 60,
        _ => 2 + random.below(8),
    };
    let downs = random.pick(&[0, 0, 2, 3, 1]);
    let large = random.once_in(6).then(|| random.pick(&LARGE));
    let vlans = role == Role::Balancer && random.once_in(3);
    // Number 1 is the gateway itself.
    let first = if random.once_in(5) { 1 } else { 11 };
    let mut servers: Vec<_> = (0..count)
        .map(|number| Server {
            address: if six {
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, (first + number) as u16).into()
            } else {
                Ipv4Addr::new(10, 0, 0, (first + number) as u8).into()
            },
            mac: ServerMac::Given(Mac([2, 0, 0, 0, 1, number as u8])),
            vlan: (vlans && random.once_in(2)).then(|| Vlan::from_number(random.pick(&[0, 1, 20, 4_094]))),
            weight: 1 + random.below(3) as u32,
            state: if downs == 1 || (downs > 1 && random.once_in(downs)) { State::Down } else { State::Up },
            health: Health::default(),
        })
        .collect();
    if let (Some(n), [first, others @ ..]) = (large, &mut servers[..]) {
        first.weight = n - others.iter().map(|server| server.weight).sum::<u32>();
    }
    servers
}
