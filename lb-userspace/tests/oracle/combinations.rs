//! Frames with every combination of headers.
//!
//! Random frames meet these only by chance: tags, options, fragments, chains of extension headers, transports, ICMP
//! messages, and all of that again in the packets that errors quote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::support::frame::*;

/// The destination of all packets.
#[derive(Clone, Copy)]
pub struct Way {
    pub client: IpAddr,
    pub service: IpAddr,
    pub port: u16,
}

impl Way {
    const fn is_v6(self) -> bool {
        self.client.is_ipv6()
    }

    const fn back(self) -> Self {
        Self { client: self.service, service: self.client, port: self.port }
    }
}

/// Calls a function with every frame.
pub fn all(way: Way, mut frame: impl FnMut(&[u8])) {
    let ether_type = if way.is_v6() { 0x86dd } else { 0x0800 };
    for (upper, payload) in uppers(way) {
        for (number, packet) in packets(way, upper, &payload).into_iter().enumerate() {
            // Tags do not depend on what follows the IP header, so the first packets suffice for them.
            let some_tags = if number < 3 { tags() } else { vec![Vec::new()] };
            for tags in some_tags {
                frame(&ethernet(GATEWAY, &tags, ether_type, &packet));
            }
        }
    }
    for (icmp, message) in errors(way) {
        for packet in few(way, icmp, &message) {
            frame(&ethernet(GATEWAY, &[], ether_type, &packet));
        }
    }
}

/// Zero to three tags of either type.
fn tags() -> Vec<Vec<(u16, u16)>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for id in 1..=3 {
        last = last
            .iter()
            .flat_map(|tags| [0x8100, 0x88a8].map(|kind| [&tags[..], &[(kind, id)]].concat()))
            .collect::<Vec<_>>();
        all.extend(last.clone());
    }
    all
}

/// Every protocol, with the start of its header.
fn uppers(way: Way) -> Vec<(u8, Vec<u8>)> {
    let with_ports = [TCP, UDP, UDP_LITE, SCTP, DCCP].map(|protocol| (protocol, ports(40_000, way.port)[..8].to_vec()));
    let without = [ESP, 47, 59, 255, if way.is_v6() { ICMP } else { ICMPV6 }, if way.is_v6() { 135 } else { AH }]
        .map(|protocol| (protocol, vec![0xab; 8]));
    let messages: &[u8] = if way.is_v6() { &[128, 129, 130, 135, 143, 0, 5] } else { &[0, 8, 13, 4, 5] };
    let icmp = if way.is_v6() { ICMPV6 } else { ICMP };
    let messages = messages.iter().map(|kind| (icmp, vec![*kind, 0, 0, 0, 0, 0, 0, 0]));
    with_ports.into_iter().chain(without).chain(messages).collect()
}

/// ICMP errors of every type, with every combination in their quotes.
fn errors(way: Way) -> Vec<(u8, Vec<u8>)> {
    let (icmp, kinds): (u8, &[u8]) = if way.is_v6() { (ICMPV6, &[1, 2, 3, 4]) } else { (ICMP, &[3, 11, 12]) };
    let message = |kind: u8, quote: &[u8]| (icmp, [&[kind, 0, 0, 0, 0, 0, 5, 0xdc], quote].concat());
    let mut all = Vec::new();
    let answer = ports(way.port, 40_000)[..8].to_vec();
    let quoted: Vec<_> = [(TCP, answer), (icmp, vec![kinds[0]; 8]), (icmp, vec![0x81; 8]), (ESP, vec![0xab; 8])].into();
    for (upper, payload) in &quoted {
        let packets = packets(way.back(), *upper, payload);
        all.extend(packets.iter().map(|quote| message(kinds[1], quote)));
        all.extend(kinds.iter().map(|kind| message(*kind, &packets[0])));
    }
    // The quoted packet is from the client, so no service sent it.
    all.push(message(kinds[0], &packets(way, TCP, &ports(40_000, way.port))[0]));
    all.push(message(kinds[0], &[]));
    all
}

/// IP packets with every combination of options, extension headers and fragments; the first has none.
fn packets(way: Way, upper: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    match (way.client, way.service) {
        (IpAddr::V4(from), IpAddr::V4(to)) => fours(from, to, upper, payload),
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            chains().iter().map(|chain| six(from, to, chain, upper, payload)).collect()
        }
        (from, to) => unreachable!("{from} → {to}"),
    }
}

/// Some of these packets.
fn few(way: Way, upper: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    match (way.client, way.service) {
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            [&[][..], &[Header::Plain(HOP_BY_HOP)]].iter().map(|chain| six(from, to, chain, upper, payload)).collect()
        }
        _ => packets(way, upper, payload).drain(..2).collect(),
    }
}

fn fours(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for options in [0, 4, 40] {
        for (more, offset) in [(false, 0), (true, 0), (true, 1), (false, 8_191)] {
            let mut header = ipv4_header(from, to, protocol, payload.len());
            header.options = vec![1; options].as_slice().try_into().unwrap();
            header.total_len = (header.header_len() + payload.len()) as u16;
            header.more_fragments = more;
            header.fragment_offset = offset.try_into().unwrap();
            packets.push(ipv4_with(&header, payload));
        }
    }
    packets
}

/// An extension header.
#[derive(Clone, Copy)]
enum Header {
    /// Of 8 bytes; AH of 24.
    Plain(u8),
    /// 8 bytes more.
    Longer(u8),
    /// Offset, and whether more fragments follow.
    Fragment(u16, bool),
}

impl Header {
    const EACH: [Self; 9] = [
        Self::Plain(HOP_BY_HOP),
        Self::Plain(ROUTING),
        Self::Plain(DESTINATION_OPTIONS),
        Self::Plain(AH),
        Self::Longer(DESTINATION_OPTIONS),
        Self::Longer(AH),
        Self::Fragment(0, false),
        Self::Fragment(0, true),
        Self::Fragment(1, false),
    ];

    const fn kind(self) -> u8 {
        match self {
            Self::Plain(kind) | Self::Longer(kind) => kind,
            Self::Fragment(..) => FRAGMENT,
        }
    }

    fn bytes(self, next: u8) -> Vec<u8> {
        match self {
            Self::Plain(kind) => extension(kind, next, 0),
            Self::Longer(kind) => extension(kind, next, 1),
            Self::Fragment(offset, more) => fragment(next, offset, more),
        }
    }
}

/// Zero, one or two headers of each kind; and chains of seven, eight and nine.
fn chains() -> Vec<Vec<Header>> {
    let mut chains = vec![Vec::new()];
    for first in Header::EACH {
        chains.push(vec![first]);
        chains.extend(Header::EACH.map(|second| vec![first, second]));
    }
    for count in [7, 8, 9] {
        chains.push(vec![Header::Plain(DESTINATION_OPTIONS); count]);
        chains.push([&vec![Header::Plain(ROUTING); count - 1][..], &[Header::Fragment(1, true)]].concat());
    }
    chains
}

fn six(from: Ipv6Addr, to: Ipv6Addr, chain: &[Header], upper: u8, payload: &[u8]) -> Vec<u8> {
    let (next, rest) = chain
        .iter()
        .rev()
        .fold((upper, payload.to_vec()), |(next, rest), header| (header.kind(), [header.bytes(next), rest].concat()));
    ipv6(from, to, next, &rest)
}
