//! Random frames: whole ones with all kinds of headers, and damaged ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_userspace::config::model::{Config, Role};

use crate::{
    config::{PORTS, PROTOCOLS, address},
    random::Random,
    support::frame::*,
};

/// A frame, in most cases for a service of this configuration.
pub fn any(random: &mut Random, config: &Config) -> Vec<u8> {
    // Most frames are for an existing service.
    let six = match config.services.is_empty() || random.once_in(6) {
        true => random.once_in(2),
        false => random.pick(&config.services).address.addr().is_ipv6(),
    };
    let packet = packet(random, config, six, 0);
    let mut frame = link(random, &packet, six);
    if random.once_in(3) {
        frame[6..12].copy_from_slice(&sender(random, config));
    }
    damage(random, &mut frame);
    frame
}

/// The same, but some frames have so much padding that they need several buffers.
#[cfg_attr(test, allow(dead_code, reason = "tests of captures use only some of these"))]
pub fn any_length(random: &mut Random, config: &Config) -> Vec<u8> {
    let mut frame = any(random, config);
    if random.once_in(4) {
        frame.resize(frame.len() + random.below(8_000), random.byte());
    }
    frame
}

/// A server's MAC, or nearly one.
fn sender(random: &mut Random, config: &Config) -> [u8; 6] {
    let servers: Vec<_> = config.services.iter().flat_map(|service| &service.servers).collect();
    let mut mac = match servers.is_empty() || random.once_in(6) {
        true => GATEWAY,
        false => random.pick(&servers).mac.get().unwrap().0,
    };
    if random.once_in(6) {
        mac[random.below(6)] ^= 1 << random.below(8);
    }
    mac
}

fn link(random: &mut Random, packet: &[u8], six: bool) -> Vec<u8> {
    let destination = match random.below(40) {
        0 => [0xff; 6],
        1 => [2, 0, 0, 0, 0, 9],
        2 => [0, 0, 0x5e, 0, random.byte() % 5, random.byte()],
        _ => GATEWAY,
    };
    let tags: Vec<_> = (0..random.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 2, 3]))
        .map(|_| (random.pick(&[0x8100, 0x88a8]), random.port()))
        .collect();
    let kind = match random.below(60) {
        0 => random.port(),
        1 => 46,
        2 => 0x0806,
        3 if six => 0x0800,
        3 => 0x86dd,
        _ if six => 0x86dd,
        _ => 0x0800,
    };
    ethernet(destination, &tags, kind, packet)
}

/// An IP packet from a client. If it is quoted (`depth` > 0), half of them are from a service.
fn packet(random: &mut Random, config: &Config, six: bool, depth: usize) -> Vec<u8> {
    let (client, mut service) = (client(random, six), destination(random, six));
    let (mut protocol, mut port) = (random.pick(&PROTOCOLS), random.pick(&PORTS));
    let family: Vec<_> = config.services.iter().filter(|service| service.address.addr().is_ipv6() == six).collect();
    if !family.is_empty() && !random.once_in(6) {
        let wanted = random.pick(&family);
        // Any address of a prefix, not just its first.
        service = if wanted.is_prefix() && !random.once_in(8) {
            within(random, wanted.address)
        } else {
            wanted.address.addr()
        };
        protocol = wanted.protocol.unwrap_or(protocol);
        port = wanted.port.unwrap_or(port);
    }
    if random.once_in(12) {
        protocol = if six { ICMPV6 } else { ICMP };
    }
    let any = random.port();
    let mine = random.pick(&[any, 0, 65_535, port]);
    let backwards = match depth {
        // Members have services for both directions.
        0 => config.role == Role::Member && random.once_in(2),
        _ => !random.once_in(5),
    };
    let ports_of = if backwards { (port, mine) } else { (mine, port) };
    let payload = payload(random, config, six, protocol, ports_of, depth);
    let (from, to) = if backwards { (service, client) } else { (client, service) };
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => four(random, from, to, protocol, &payload),
        (IpAddr::V6(from), IpAddr::V6(to)) => sixes(random, from, to, protocol, payload),
        (from, to) => unreachable!("{from} → {to}"),
    }
}

fn destination(random: &mut Random, six: bool) -> IpAddr {
    if random.once_in(6) { client(random, six) } else { address(six, random.below(9)) }
}

/// An address of a network.
fn within(random: &mut Random, net: IpNet) -> IpAddr {
    match (net.network(), net.hostmask()) {
        (IpAddr::V4(first), IpAddr::V4(mask)) => {
            Ipv4Addr::from_bits(first.to_bits() | (random.next() as u32 & mask.to_bits())).into()
        }
        (IpAddr::V6(first), IpAddr::V6(mask)) => {
            Ipv6Addr::from_bits(first.to_bits() | (random.wide() & mask.to_bits())).into()
        }
        (first, mask) => unreachable!("{first} {mask}"),
    }
}

fn client(random: &mut Random, six: bool) -> IpAddr {
    match (six, random.below(4)) {
        (true, 0) => Ipv6Addr::from_bits(u128::MAX - random.wide() % 4).into(),
        (true, 1) => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(random.byte())).into(),
        (true, _) => Ipv6Addr::from_bits(random.wide()).into(),
        (false, 0) => Ipv4Addr::from_bits(u32::MAX - u32::from(random.byte() % 4)).into(),
        (false, _) => Ipv4Addr::from_bits(random.next() as u32).into(),
    }
}

fn payload(
    random: &mut Random,
    config: &Config,
    six: bool,
    protocol: u8,
    (from, to): (u16, u16),
    depth: usize,
) -> Vec<u8> {
    let icmp = if six { ICMPV6 } else { ICMP };
    if protocol == icmp {
        let kind = match (random.below(4), six) {
            (0, _) => random.byte(),
            (1, true) => random.pick(&[128, 129, 130, 133, 135, 136, 143]),
            (1, false) => random.pick(&[0, 8, 4, 5, 13]),
            (_, true) => random.pick(&[1, 2, 3, 4]),
            (_, false) => random.pick(&[3, 11, 12]),
        };
        let quote = if depth < 2 { packet(random, config, six, depth + 1) } else { Vec::new() };
        let kept = if random.once_in(3) { random.below(quote.len() + 1) } else { quote.len() };
        return [&[kind, random.byte(), 0, 0, 0, 0, 0, 0][..], &quote[..kept]].concat();
    }
    let length = random.pick(&[32, 32, 32, 32, 32, 32, 8, 8, 4, 4, 3, 0]);
    ports(from, to)[..length].to_vec()
}

fn four(random: &mut Random, from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = ipv4_header(from, to, protocol, payload.len());
    if random.once_in(4) {
        header.options = vec![1; random.below(11) * 4].as_slice().try_into().unwrap();
        header.total_len = (header.header_len() + payload.len()) as u16;
    }
    if random.once_in(5) {
        header.more_fragments = random.once_in(2);
        header.fragment_offset = random.pick(&[0, 1, 185, 8_191]).try_into().unwrap();
    }
    header.dont_fragment = random.once_in(2);
    ipv4_with(&header, payload)
}

fn sixes(random: &mut Random, from: Ipv6Addr, to: Ipv6Addr, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    let count = random.pick(&[0, 0, 0, 1, 2, 3, 7, 8, 9]);
    let (next, payload) = (0..count).fold((protocol, payload), |(next, rest), _| {
        let kind = random.pick(&[HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, AH, FRAGMENT]);
        let header = match kind {
            FRAGMENT => {
                let offset = random.pick(&[0, 0, 0, 1, 8_191]);
                fragment(next, offset, random.once_in(3))
            }
            kind => extension(kind, next, random.pick(&[0, 0, 1, 3])),
        };
        (kind, [header, rest].concat())
    });
    ipv6(from, to, next, &payload)
}

/// Damages one frame in four.
fn damage(random: &mut Random, frame: &mut Vec<u8>) {
    if !random.once_in(4) {
        return;
    }
    for _ in 0..=random.below(3) {
        match random.below(5) {
            0 => frame.truncate(14 + random.below(frame.len() - 13)),
            1 => frame.extend(vec![0; random.below(20)]),
            2 => {
                let place = random.below(frame.len());
                frame[place] = random.byte();
            }
            3 => {
                // Near the front, where headers are.
                let place = random.below(frame.len().min(64));
                frame[place] ^= 1 << random.below(8);
            }
            _ => {
                let place = random.below(frame.len().min(80));
                frame[place] = random.pick(&[0, 0xff, 4, 6, 44, 58]);
            }
        }
    }
}
