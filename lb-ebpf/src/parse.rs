//! Frame → flow, or the reason why not.
//!
//! Trap: lengths that a packet claims are not lengths that it has. A header counts as present only if both the frame and
//! the IP length reach to its end.

use lb_common::{
    flow::{Flow, V4, V6, protocol},
    limits::{MAX_EXTENSION_HEADERS, MAX_VLAN_TAGS},
    outcome::Outcome,
};
use network_types::{
    ip::{Ipv4Hdr, Ipv6Hdr},
    vlan::VlanHdr,
};

use crate::{
    headers::{Ethernet, Extension, Fragment, Icmp, Ports},
    maps,
    packet::{Packet, load},
};

/// EtherTypes (IEEE 802, IANA "IEEE 802 Numbers").
mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const VLAN: u16 = 0x8100;
    pub const IPV6: u16 = 0x86dd;
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

/// The first bytes of VRRP's virtual router MACs, 00:00:5e:00:01:xx for IPv4 and 00:00:5e:00:02:xx for IPv6 (RFC 9568,
/// 7.3).
const VRRP_HEAD: u32 = u32::from_ne_bytes([0x00, 0x00, 0x5e, 0x00]);

/// What was found at the link layer: where the network header starts, and which.
pub struct Frame {
    offset: usize,
    ether_type: u16,
}

/// The tuple of a packet of either family.
pub enum Parsed {
    V4(Flow<V4>),
    V6(Flow<V6>),
}

/// Looks at the link layer: is the frame for this interface, and what does it carry?
#[inline(always)]
pub fn ethernet(packet: &Packet) -> Result<Frame, Outcome> {
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

#[inline(always)]
fn is_ours(head: u32, tail: u16) -> bool {
    let own = maps::interface_mac();
    let destination = head as u64 | (tail as u64) << 32;
    destination == own || (head == VRRP_HEAD && matches!(tail.to_ne_bytes()[0], 1 | 2))
}

/// Looks through VLAN tags and at the network and transport headers.
#[inline(always)]
pub fn network(packet: &Packet, frame: &Frame) -> Result<Parsed, Outcome> {
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
    match ether_type {
        ether_type::IPV4 => ipv4(packet, offset).map(Parsed::V4),
        ether_type::IPV6 => ipv6(packet, offset).map(Parsed::V6),
        _ => Err(Outcome::NotIp),
    }
}

#[inline(always)]
fn ipv4(packet: &Packet, offset: usize) -> Result<Flow<V4>, Outcome> {
    /// "More fragments" and the fragment offset, RFC 791, 3.1.
    const FRAGMENT: u16 = 0x3fff;

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
    let header_length = (vihl & 0x0f) as usize * 4;
    let total = u16::from_be(total) as usize;
    if vihl >> 4 != 4 || header_length < size_of::<Ipv4Hdr>() || total < header_length || offset + total > packet.len()
    {
        return Err(Outcome::Malformed);
    }
    let upper = Upper {
        protocol,
        offset: offset + header_length,
        length: total - header_length,
        fragment: u16::from_be(fragment) & FRAGMENT != 0,
    };
    let ports = upper.ports(packet, protocol::ICMP)?;
    Ok(upper.flow(V4(u32::from_be(source)), V4(u32::from_be(destination)), ports))
}

#[inline(always)]
fn ipv6(packet: &Packet, offset: usize) -> Result<Flow<V6>, Outcome> {
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
    let payload = u16::from_be(payload) as usize;
    let offset = offset + size_of::<Ipv6Hdr>();
    if version >> 4 != 6 || offset + payload > packet.len() {
        return Err(Outcome::Malformed);
    }
    let upper = look_through(packet, next_header, offset, payload)?;
    let ports = upper.ports(packet, protocol::ICMPV6)?;
    Ok(upper.flow(V6(source.map(u32::from_be)), V6(destination.map(u32::from_be)), ports))
}

/// Looks through the extension headers of `length` bytes at `offset` until the upper layer.
#[inline(always)]
fn look_through(packet: &Packet, next_header: u8, offset: usize, length: usize) -> Result<Upper, Outcome> {
    let mut upper = Upper { protocol: next_header, offset, length, fragment: false };
    for _ in 0..MAX_EXTENSION_HEADERS {
        let size = match upper.protocol {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::AH
            | protocol::FRAGMENT => upper.extension_size(packet)?,
            _ => return Ok(upper),
        };
        if upper.protocol == protocol::FRAGMENT && upper.is_piece(packet)? {
            upper.fragment = true;
            upper.protocol = upper.next_header(packet)?;
            return Ok(upper);
        }
        if size > upper.length {
            return Err(Outcome::Malformed);
        }
        upper.protocol = upper.next_header(packet)?;
        upper.offset += size;
        upper.length -= size;
    }
    match upper.protocol {
        protocol::HOP_BY_HOP
        | protocol::ROUTING
        | protocol::DESTINATION_OPTIONS
        | protocol::AH
        | protocol::FRAGMENT => Err(Outcome::TooManyHeaders),
        _ => Ok(upper),
    }
}

/// The rest of an IP packet: a protocol, and where its header stands.
struct Upper {
    protocol: u8,
    offset: usize,
    /// Bytes that the IP header says are left.
    length: usize,
    fragment: bool,
}

impl Upper {
    /// Source and destination port; 0 where the protocol or the piece has none.
    #[inline(always)]
    fn ports(&self, packet: &Packet, icmp: u8) -> Result<(u16, u16), Outcome> {
        if self.fragment {
            return Ok((0, 0));
        }
        if protocol::has_ports(self.protocol) {
            let ports = self.header::<Ports>(packet)?;
            // SAFETY: `ports` is within the packet.
            let (source, destination): (u16, u16) =
                unsafe { (load(&raw const (*ports).source), load(&raw const (*ports).destination)) };
            return Ok((u16::from_be(source), u16::from_be(destination)));
        }
        if self.protocol == icmp {
            let header = self.header::<Icmp>(packet)?;
            // SAFETY: `header` is within the packet.
            if is_kept(icmp, unsafe { load(&raw const (*header).kind) }) {
                return Err(Outcome::NoService);
            }
        }
        Ok((0, 0))
    }

    #[inline(always)]
    fn flow<A>(&self, source: A, destination: A, (source_port, destination_port): (u16, u16)) -> Flow<A> {
        Flow { source, destination, source_port, destination_port, protocol: self.protocol, fragment: self.fragment }
    }

    /// The header of type `T` that stands here, within both the frame and the IP length.
    #[inline(always)]
    fn header<T>(&self, packet: &Packet) -> Result<*mut T, Outcome> {
        if self.length < size_of::<T>() {
            return Err(Outcome::Malformed);
        }
        packet.header(self.offset)
    }

    #[inline(always)]
    fn next_header(&self, packet: &Packet) -> Result<u8, Outcome> {
        let header = self.header::<Extension>(packet)?;
        // SAFETY: `header` is within the packet.
        Ok(unsafe { load(&raw const (*header).next_header) })
    }

    /// The size of the extension header that stands here.
    #[inline(always)]
    fn extension_size(&self, packet: &Packet) -> Result<usize, Outcome> {
        let header = self.header::<Extension>(packet)?;
        // SAFETY: `header` is within the packet.
        let length = unsafe { load::<u8, _>(&raw const (*header).length) } as usize;
        Ok(match self.protocol {
            protocol::FRAGMENT => size_of::<Fragment>(),
            protocol::AH => (length + 2) * 4,
            _ => (length + 1) * 8,
        })
    }

    /// Whether the fragment header that stands here makes the packet a piece: with offset 0 and nothing to follow it is
    /// an atomic fragment, that is a whole packet (RFC 6946).
    #[inline(always)]
    fn is_piece(&self, packet: &Packet) -> Result<bool, Outcome> {
        const OFFSET_AND_MORE: u16 = 0xfff9;
        let header = self.header::<Fragment>(packet)?;
        // SAFETY: `header` is within the packet.
        let offset: u16 = unsafe { load(&raw const (*header).offset) };
        Ok(u16::from_be(offset) & OFFSET_AND_MORE != 0)
    }
}

/// Whether a message belongs to this host or its link whatever the services are. Errors are kept as well: they quote a
/// packet that a server sent, and what they say of it is not looked at.
#[inline(always)]
fn is_kept(icmp: u8, kind: u8) -> bool {
    match icmp {
        // Destination unreachable, redirect, time exceeded, parameter problem (RFC 792); source quench (RFC 6633).
        protocol::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        // Errors (RFC 4443); MLD and neighbour discovery (RFC 2710, RFC 4861, RFC 3810).
        _ => matches!(kind, 0..=127 | 130..=137 | 143),
    }
}
