//! What differs between IPv4 and IPv6 for roles that look for connections.

use aya_ebpf::bindings::{
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 as Tuple4, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 as Tuple6,
};
use lb_common::{
    flow::{Flow, V4, V6},
    outcome::Outcome,
};
use lb_ebpf::{
    packet::{Context, Packet, Wire, load, store},
    parse::Segment,
};
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

/// A family of addresses.
pub trait Network: Segment {
    /// The IP header.
    type Header: Wire;

    /// How the kernel names a connection.
    type Tuple;

    /// The TTL or hop limit.
    fn ttl(packet: &Packet<impl Context>, offset: usize) -> Result<u8, Outcome>;

    /// Sets it.
    fn set_ttl(packet: &mut Packet<impl Context>, offset: usize, ttl: u8) -> Result<(), Outcome>;

    /// The connection of a flow that travels to its service.
    fn tuple(flow: &Flow<Self>) -> Self::Tuple;
}

impl Network for V4 {
    type Header = Ipv4Hdr;
    type Tuple = Tuple4;

    #[inline(always)]
    fn ttl(packet: &Packet<impl Context>, offset: usize) -> Result<u8, Outcome> {
        Ok(load(&packet.header::<Ipv4Hdr>(offset)?.ttl))
    }

    /// The checksum follows by RFC 1624, equation 3. The TTL is the upper byte of its word in network byte order.
    #[inline(always)]
    fn set_ttl(packet: &mut Packet<impl Context>, offset: usize, ttl: u8) -> Result<(), Outcome> {
        let mut header = packet.header_mut::<Ipv4Hdr>(offset)?;
        let (before, check): (u8, u16) = (load(&header.ttl), load(&header.check));
        let mut sum = (!u16::from_be(check)) as u32 + (!((before as u16) << 8)) as u32 + ((ttl as u32) << 8);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        store(&mut header.ttl, ttl);
        store(&mut header.check, (!(sum as u16)).to_be());
        Ok(())
    }

    #[inline(always)]
    fn tuple(flow: &Flow<Self>) -> Tuple4 {
        Tuple4 {
            saddr: flow.source.0.to_be(),
            daddr: flow.destination.0.to_be(),
            sport: flow.source_port.to_be(),
            dport: flow.destination_port.to_be(),
        }
    }
}

impl Network for V6 {
    type Header = Ipv6Hdr;
    type Tuple = Tuple6;

    #[inline(always)]
    fn ttl(packet: &Packet<impl Context>, offset: usize) -> Result<u8, Outcome> {
        Ok(load(&packet.header::<Ipv6Hdr>(offset)?.hop_limit))
    }

    #[inline(always)]
    fn set_ttl(packet: &mut Packet<impl Context>, offset: usize, ttl: u8) -> Result<(), Outcome> {
        store(&mut packet.header_mut::<Ipv6Hdr>(offset)?.hop_limit, ttl);
        Ok(())
    }

    #[inline(always)]
    fn tuple(flow: &Flow<Self>) -> Tuple6 {
        Tuple6 {
            saddr: flow.source.0.map(u32::to_be),
            daddr: flow.destination.0.map(u32::to_be),
            sport: flow.source_port.to_be(),
            dport: flow.destination_port.to_be(),
        }
    }
}
