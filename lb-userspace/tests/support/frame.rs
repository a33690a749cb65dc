//! Frames, byte by byte: built by etherparse where it can, by hand where it cannot.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4Header, Ipv6FlowLabel, Ipv6Header};

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const DCCP: u8 = 33;
pub const ESP: u8 = 50;
pub const AH: u8 = 51;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;
pub const UDP_LITE: u8 = 136;

pub const HOP_BY_HOP: u8 = 0;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const DESTINATION_OPTIONS: u8 = 60;

/// The gateway's MAC.
pub const GATEWAY: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The MAC of the router that frames come from.
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 0xfe];

/// An Ethernet frame to `destination` with these tags and this payload.
pub fn ethernet(destination: [u8; 6], tags: &[(u16, u16)], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [destination, ROUTER].concat();
    for (tag_type, id) in tags {
        frame.extend(tag_type.to_be_bytes());
        frame.extend(id.to_be_bytes());
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A frame to the gateway with an IP packet in it.
pub fn to_gateway(packet: &[u8]) -> Vec<u8> {
    ethernet(GATEWAY, &[], ether_type(packet), packet)
}

/// The EtherType of an IP packet.
pub fn ether_type(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 }
}

/// An IPv4 header, for the caller to change.
pub fn ipv4_header(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: usize) -> Ipv4Header {
    let mut header = Ipv4Header::new(payload as u16, 64, protocol.into(), from.octets(), to.octets()).unwrap();
    header.header_checksum = header.calc_header_checksum();
    header
}

/// An IPv4 packet with this header.
pub fn ipv4_with(header: &Ipv4Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = header.to_bytes().to_vec();
    packet.extend(payload);
    packet
}

/// An IPv6 packet; `next` is the protocol of the payload's first header.
pub fn ipv6(from: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: payload.len() as u16,
        next_header: next.into(),
        hop_limit: 64,
        source: from.octets(),
        destination: to.octets(),
    };
    let mut packet = header.to_bytes().to_vec();
    packet.extend(payload);
    packet
}

/// An IP packet of the addresses' family.
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_with(&ipv4_header(from, to, protocol, payload.len()), payload),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(from, to, protocol, payload),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => panic!("{from} → {to}"),
    }
}

/// The start of any transport header with ports, and a few more bytes.
pub fn ports(source: u16, destination: u16) -> Vec<u8> {
    let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    bytes.extend([0xab; 28]);
    bytes
}

/// An IPv6 extension header of 8·(1 + `extra`) bytes, except for AH, which counts in another unit.
pub fn extension(kind: u8, next: u8, extra: u8) -> Vec<u8> {
    let (length, bytes) = match kind {
        // RFC 4302, 2.2: in 32-bit words, minus 2.
        AH => (4 + 2 * extra, 24 + 8 * usize::from(extra)),
        _ => (extra, 8 + 8 * usize::from(extra)),
    };
    let mut header = vec![0; bytes];
    (header[0], header[1]) = (next, length);
    header
}

/// An IPv6 fragment header (RFC 8200, 4.5); the offset is in units of 8 bytes.
pub fn fragment(next: u8, offset: u16, more: bool) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend((offset << 3 | u16::from(more)).to_be_bytes());
    header.extend([0, 0, 0, 7]);
    header
}

/// The frame as the gateway forwards it.
pub fn sent_to(server: [u8; 6], frame: &[u8]) -> Vec<u8> {
    [&server[..], &GATEWAY, &frame[12..]].concat()
}

/// The frame with another destination, from the same source.
pub fn addressed_to(destination: [u8; 6], frame: &[u8]) -> Vec<u8> {
    [&destination[..], &frame[6..]].concat()
}
