//! Frame → flow, or the reason why not.
//!
//! Trap: lengths that a packet claims are not lengths that it has. A header counts as present only if both the frame and
//! the IP length reach to its end.

use lb_common::{
    flow::{Flow, V4, V6, protocol},
    limits::MAX_VLAN_TAGS,
    outcome::Outcome,
};
use network_types::{
    ip::{Ipv4Hdr, Ipv6Hdr},
    vlan::VlanHdr,
};

use crate::{
    chain,
    headers::{Ethernet, Icmp, Ports},
    icmp,
    packet::{Context, Packet, load},
    quote,
};

/// EtherTypes (IEEE 802, IANA "IEEE 802 Numbers").
pub mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const VLAN: u16 = 0x8100;
    pub const IPV6: u16 = 0x86dd;
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

/// The first bytes of VRRP's virtual router MACs, 00:00:5e:00:01:xx for IPv4 and 00:00:5e:00:02:xx for IPv6 (RFC 9568,
/// 7.3).
const VRRP_HEAD: u32 = u32::from_ne_bytes([0x00, 0x00, 0x5e, 0x00]);

/// What was found at the link layer: where the network header starts, and which.
pub struct Frame {
    pub offset: usize,
    pub ether_type: u16,
}

/// The tuple of a packet of either family: its own, or that of the packet that an ICMP error quotes.
pub enum Parsed {
    V4(Flow<V4>),
    V6(Flow<V6>),
}

/// Looks at the link layer: is the frame for this interface, whose MAC is the first six bytes of `own` in memory, and what
/// does it carry?
#[inline(always)]
pub fn ethernet(packet: &Packet<impl Context>, own: u64) -> Result<Frame, Outcome> {
    link_layer(packet, |head, tail| is_ours(head, tail, own))
}

/// The group's MAC of a member that takes whatever it receives.
pub const EVERY_MAC: u64 = u64::MAX;

/// The same for a member of a group with a MAC of its own; 0: it has none.
#[inline(always)]
pub fn group(packet: &Packet<impl Context>, own: u64, group: u64) -> Result<Frame, Outcome> {
    link_layer(packet, |head, tail| {
        let destination = head as u64 | (tail as u64) << 32;
        is_ours(head, tail, own) || (group != 0 && destination == group) || group == EVERY_MAC
    })
}

/// The same for what this host sends: whatever goes to one other host.
#[inline(always)]
pub fn unicast(packet: &Packet<impl Context>) -> Result<Frame, Outcome> {
    link_layer(packet, |head, _| head.to_ne_bytes()[0] & 1 == 0)
}

/// The same for every frame.
#[inline(always)]
pub fn any(packet: &Packet<impl Context>) -> Result<Frame, Outcome> {
    link_layer(packet, |_, _| true)
}

#[inline(always)]
fn link_layer(packet: &Packet<impl Context>, is_ours: impl FnOnce(u32, u16) -> bool) -> Result<Frame, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    // SAFETY: `header` is within the packet.
    let (head, tail, ether_type): (u32, u16, u16) = unsafe {
        (
            load(&raw const (*header).destination_head),
            load(&raw const (*header).destination_tail),
            load(&raw const (*header).ether_type),
        )
    };
    if !is_ours(head, tail) {
        return Err(Outcome::NotOurs);
    }
    Ok(Frame { offset: size_of::<Ethernet>(), ether_type: u16::from_be(ether_type) })
}

/// Whether a frame with this destination is for an interface with the MAC `own`.
#[inline(always)]
pub fn is_ours(head: u32, tail: u16, own: u64) -> bool {
    let destination = head as u64 | (tail as u64) << 32;
    destination == own || (head == VRRP_HEAD && matches!(tail.to_ne_bytes()[0], 1 | 2))
}

/// Looks through VLAN tags and at the network and transport headers.
#[inline(always)]
pub fn network(packet: &Packet<impl Context>, frame: &Frame) -> Result<Parsed, Outcome> {
    let Frame { offset, ether_type } = untag(packet, frame)?;
    match ether_type {
        ether_type::IPV4 => ipv4(packet, offset),
        ether_type::IPV6 => ipv6(packet, offset),
        _ => Err(Outcome::NotIp),
    }
}

/// Looks through VLAN tags.
#[inline(always)]
pub fn untag(packet: &Packet<impl Context>, frame: &Frame) -> Result<Frame, Outcome> {
    let Frame { mut offset, mut ether_type } = *frame;
    for _ in 0..MAX_VLAN_TAGS {
        if !matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN) {
            break;
        }
        let tag = packet.header::<VlanHdr>(offset)?;
        // SAFETY: `tag` is within the packet.
        ether_type = u16::from_be(unsafe { load(&raw const (*tag).ether_type) });
        offset += size_of::<VlanHdr>();
    }
    Ok(Frame { offset, ether_type })
}

#[inline(always)]
fn ipv4(packet: &Packet<impl Context>, offset: usize) -> Result<Parsed, Outcome> {
    let header = Header4::read(packet, offset)?;
    if offset + header.total > packet.len() {
        return Err(Outcome::Malformed);
    }
    let upper = header.upper(offset, header.total - header.length, Pieces::All);
    match upper.content(packet, protocol::ICMP)? {
        Content::Ports(ports) => Ok(Parsed::V4(upper.flow(header.source, header.destination, ports))),
        Content::Kept => Err(Outcome::NoService),
        Content::Error(quote) => quote::ipv4(packet, &quote, header.destination).map(Parsed::V4),
    }
}

#[inline(always)]
fn ipv6(packet: &Packet<impl Context>, offset: usize) -> Result<Parsed, Outcome> {
    let header = Header6::read(packet, offset)?;
    if offset + size_of::<Ipv6Hdr>() + header.payload > packet.len() {
        return Err(Outcome::Malformed);
    }
    let upper = header.upper(packet, offset, header.payload, Pieces::All)?;
    match upper.content(packet, protocol::ICMPV6)? {
        Content::Ports(ports) => Ok(Parsed::V6(upper.flow(header.source, header.destination, ports))),
        Content::Kept => Err(Outcome::NoService),
        Content::Error(quote) => quote::ipv6(packet, &quote, header.destination).map(Parsed::V6),
    }
}

/// What an IPv4 header says; lengths are those that it claims.
pub struct Header4 {
    pub source: V4,
    pub destination: V4,
    /// Of the header, options included.
    pub length: usize,
    /// Of the packet, not less than `length`.
    pub total: usize,
    fragment_offset: u16,
    more_fragments: bool,
    protocol: u8,
}

impl Header4 {
    #[inline(always)]
    pub fn read(packet: &Packet<impl Context>, offset: usize) -> Result<Self, Outcome> {
        /// "More fragments" and the fragment offset, RFC 791, 3.1.
        const MORE: u16 = 0x2000;
        const OFFSET: u16 = 0x1fff;

        let header = packet.header::<Ipv4Hdr>(offset)?;
        // SAFETY: `header` is within the packet.
        let (vihl, total, fragment, protocol, source, destination): (u8, u16, u16, u8, u32, u32) = unsafe {
            (
                load(&raw const (*header).vihl),
                load(&raw const (*header).tot_len),
                load(&raw const (*header).frags),
                load(&raw const (*header).proto),
                load(&raw const (*header).src_addr),
                load(&raw const (*header).dst_addr),
            )
        };
        let length = (vihl & 0x0f) as usize * 4;
        let total = u16::from_be(total) as usize;
        if vihl >> 4 != 4 || length < size_of::<Ipv4Hdr>() || total < length {
            return Err(Outcome::Malformed);
        }
        let fragment = u16::from_be(fragment);
        Ok(Self {
            source: V4(u32::from_be(source)),
            destination: V4(u32::from_be(destination)),
            length,
            total,
            fragment_offset: fragment & OFFSET,
            more_fragments: fragment & MORE != 0,
            protocol,
        })
    }

    /// What follows the header that stands at `offset`, of which there are `length` bytes.
    #[inline(always)]
    pub fn upper(&self, offset: usize, length: usize, pieces: Pieces) -> Upper {
        let fragment = self.fragment_offset != 0 || (self.more_fragments && matches!(pieces, Pieces::All));
        Upper { protocol: self.protocol, offset: offset + self.length, length, fragment }
    }
}

/// What an IPv6 header says.
pub struct Header6 {
    pub source: V6,
    pub destination: V6,
    /// The length that it claims for all that follows it.
    pub payload: usize,
    next_header: u8,
}

impl Header6 {
    #[inline(always)]
    pub fn read(packet: &Packet<impl Context>, offset: usize) -> Result<Self, Outcome> {
        let header = packet.header::<Ipv6Hdr>(offset)?;
        // SAFETY: `header` is within the packet.
        let (version, payload, next_header, source, destination): (u8, u16, u8, [u32; 4], [u32; 4]) = unsafe {
            (
                load(&raw const (*header).vcf),
                load(&raw const (*header).payload_len),
                load(&raw const (*header).next_hdr),
                load(&raw const (*header).src_addr),
                load(&raw const (*header).dst_addr),
            )
        };
        if version >> 4 != 6 {
            return Err(Outcome::Malformed);
        }
        Ok(Self {
            source: V6(source.map(u32::from_be)),
            destination: V6(destination.map(u32::from_be)),
            payload: u16::from_be(payload) as usize,
            next_header,
        })
    }

    /// The upper layer of the packet whose header stands at `offset`, of which there are `length` bytes behind it.
    #[inline(always)]
    pub fn upper(
        &self,
        packet: &Packet<impl Context>,
        offset: usize,
        length: usize,
        pieces: Pieces,
    ) -> Result<Upper, Outcome> {
        let upper =
            Upper { protocol: self.next_header, offset: offset + size_of::<Ipv6Hdr>(), length, fragment: false };
        chain::look_through(packet, upper, pieces)
    }
}

/// The rest of an IP packet: a protocol, and where its header stands.
pub struct Upper {
    pub protocol: u8,
    pub offset: usize,
    /// Bytes that are left, by the IP header or the end of the quote.
    pub length: usize,
    /// It is a piece of a larger packet, whose ports are not to be relied on.
    pub fragment: bool,
}

/// Which pieces of a packet go by addresses alone.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Pieces {
    /// All, so that they meet.
    All = 0,
    /// Those that do not start with the upper layer's header.
    Later = 1,
}

/// What a packet tells of its flow beyond addresses and protocol.
enum Content {
    /// Source and destination port; 0 where the protocol or the piece has none.
    Ports((u16, u16)),
    /// A message that belongs to this host or its link, whatever the services are.
    Kept,
    /// An ICMP error, which belongs to the packet that it quotes.
    Error(Quote),
}

/// Where the packet stands that an ICMP error quotes, and how much there is of it.
pub struct Quote {
    pub offset: usize,
    pub length: usize,
}

impl Upper {
    #[inline(always)]
    fn content(&self, packet: &Packet<impl Context>, icmp: u8) -> Result<Content, Outcome> {
        if self.fragment {
            return Ok(Content::Ports((0, 0)));
        }
        if self.protocol != icmp {
            return self.ports(packet).map(Content::Ports);
        }
        let kind = self.icmp_kind(packet)?;
        if icmp::is_error(icmp, kind) {
            let size = size_of::<Icmp>();
            return Ok(Content::Error(Quote { offset: self.offset + size, length: self.length - size }));
        }
        Ok(if icmp::is_kept(icmp, kind) { Content::Kept } else { Content::Ports((0, 0)) })
    }

    /// Source and destination port; 0 where the protocol has none.
    #[inline(always)]
    pub fn ports(&self, packet: &Packet<impl Context>) -> Result<(u16, u16), Outcome> {
        if !protocol::has_ports(self.protocol) {
            return Ok((0, 0));
        }
        let ports = self.header::<Ports>(packet)?;
        // SAFETY: `ports` is within the packet.
        let (source, destination): (u16, u16) =
            unsafe { (load(&raw const (*ports).source), load(&raw const (*ports).destination)) };
        Ok((u16::from_be(source), u16::from_be(destination)))
    }

    /// The type of the ICMP message that stands here.
    #[inline(always)]
    pub fn icmp_kind(&self, packet: &Packet<impl Context>) -> Result<u8, Outcome> {
        let header = self.header::<Icmp>(packet)?;
        // SAFETY: `header` is within the packet.
        Ok(unsafe { load(&raw const (*header).kind) })
    }

    #[inline(always)]
    pub fn flow<A>(&self, source: A, destination: A, (source_port, destination_port): (u16, u16)) -> Flow<A> {
        Flow { source, destination, source_port, destination_port, protocol: self.protocol, fragment: self.fragment }
    }

    /// The header of type `T` that stands here, within both the frame and the IP length.
    #[inline(always)]
    fn header<T>(&self, packet: &Packet<impl Context>) -> Result<*mut T, Outcome> {
        if self.length < size_of::<T>() {
            return Err(Outcome::Malformed);
        }
        packet.header(self.offset)
    }
}
