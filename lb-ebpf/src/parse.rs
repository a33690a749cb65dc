//! Frame → flow, or the reason why not.
//!
//! Trap: the lengths that a packet claims need not be those that it has. A header counts as present only if both the
//! frame and the IP length reach to its end.

use lb_common::{
    flow::{Address, Flow, V4, V6, protocol},
    outcome::Outcome,
};
use network_types::ip::Ipv6Hdr;

use crate::{
    ethernet::{Frame, ether_type, untag},
    headers::Tcp,
    ip::{Header4, Header6},
    opaque,
    packet::{Context, Packet},
    quote,
    upper::{Content, Fragments, Upper},
};

/// The tuple of a packet of either family: its own, or that of the packet that an ICMP error quotes.
pub enum Parsed {
    V4(Flow<V4>),
    V6(Flow<V6>),
}

/// Where the headers of a packet are.
#[derive(Clone, Copy)]
pub struct Offsets {
    /// The IP header.
    pub ip: usize,
    /// The transport header; [`Offsets::QUOTED`]: the flow is that of a quoted packet.
    pub upper: usize,
}

impl Offsets {
    /// An offset at which no header stands: the packet is too short for one.
    pub const CUT_OFF: usize = 0x7fff;

    /// No offset. An `Option` would be a second number, whose connection with the first verifiers lose.
    pub const QUOTED: usize = 0;

    /// The same, of which verifiers know nothing.
    #[inline(always)]
    #[must_use]
    pub fn opaque(self) -> Self {
        let [ip, upper] = opaque::offsets([self.ip, self.upper]);
        Self { ip, upper }
    }
}

/// Reads everything behind the link layer: skips VLAN tags, then reads the network and transport headers.
#[inline(always)]
pub fn network(packet: &Packet<impl Context>, frame: &Frame) -> Result<Parsed, Outcome> {
    located(packet, frame, &mut Offsets { ip: 0, upper: 0 })
}

/// The same, saying where the headers are.
#[inline(always)]
pub fn located(packet: &Packet<impl Context>, frame: &Frame, offsets: &mut Offsets) -> Result<Parsed, Outcome> {
    let Frame { offset, ether_type } = untag(packet, frame)?;
    offsets.ip = offset;
    match ether_type {
        ether_type::IPV4 => ipv4(packet, offset, &mut offsets.upper).map(Parsed::V4),
        ether_type::IPV6 => ipv6(packet, offset, &mut offsets.upper).map(Parsed::V6),
        _ => Err(Outcome::NotIp),
    }
}

/// Finds the TCP header of a packet whose IP header is at a known offset.
pub trait Segment: Address {
    /// Its offset, [`Offsets::CUT_OFF`], or [`Offsets::QUOTED`]: the packet is no TCP.
    fn segment(packet: &Packet<impl Context>, ip: usize) -> usize;
}

impl Segment for V4 {
    #[inline(always)]
    fn segment(packet: &Packet<impl Context>, ip: usize) -> usize {
        let Ok(header) = Header4::read(packet, ip) else { return Offsets::QUOTED };
        segment(&header.upper(ip, header.total - header.length, Fragments::All))
    }
}

impl Segment for V6 {
    #[inline(always)]
    fn segment(packet: &Packet<impl Context>, ip: usize) -> usize {
        let Ok(header) = Header6::read(packet, ip) else { return Offsets::QUOTED };
        let upper = header.upper(packet, ip, header.payload, Fragments::All);
        upper.map_or(Offsets::QUOTED, |upper| segment(&upper))
    }
}

#[inline(always)]
fn segment(upper: &Upper) -> usize {
    match upper.protocol {
        protocol::TCP if upper.length < size_of::<Tcp>() => Offsets::CUT_OFF,
        protocol::TCP => upper.offset,
        _ => Offsets::QUOTED,
    }
}

#[inline(always)]
fn ipv4(packet: &Packet<impl Context>, offset: usize, location: &mut usize) -> Result<Flow<V4>, Outcome> {
    let header = Header4::read(packet, offset)?;
    if offset + header.total > packet.len() {
        return Err(Outcome::Malformed);
    }
    let upper = header.upper(offset, header.total - header.length, Fragments::All);
    match upper.content(packet, protocol::ICMP)? {
        Content::Ports(ports) => {
            *location = upper.offset;
            Ok(upper.flow(header.source, header.destination, ports))
        }
        Content::Kept => Err(Outcome::NoService),
        Content::Error(quote) => quote::ipv4(packet, &quote, header.destination),
    }
}

#[inline(always)]
fn ipv6(packet: &Packet<impl Context>, offset: usize, location: &mut usize) -> Result<Flow<V6>, Outcome> {
    let header = Header6::read(packet, offset)?;
    if offset + size_of::<Ipv6Hdr>() + header.payload > packet.len() {
        return Err(Outcome::Malformed);
    }
    let upper = header.upper(packet, offset, header.payload, Fragments::All)?;
    match upper.content(packet, protocol::ICMPV6)? {
        Content::Ports(ports) => {
            *location = upper.offset;
            Ok(upper.flow(header.source, header.destination, ports))
        }
        Content::Kept => Err(Outcome::NoService),
        Content::Error(quote) => quote::ipv6(packet, &quote, header.destination),
    }
}
