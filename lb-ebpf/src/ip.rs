//! IPv4 and IPv6 headers: what they say, and where the upper layer stands.

use lb_common::{
    flow::{V4, V6},
    outcome::Outcome,
};
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use crate::{
    ext_headers,
    packet::{Context, Packet, load},
    upper::{Fragments, Upper},
};

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
        let (vihl, total, fragment, protocol, source, destination): (u8, u16, u16, u8, u32, u32) = (
            load(&header.vihl),
            load(&header.tot_len),
            load(&header.frags),
            load(&header.proto),
            load(&header.src_addr),
            load(&header.dst_addr),
        );
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
    pub fn upper(&self, offset: usize, length: usize, fragments: Fragments) -> Upper {
        let fragment = self.fragment_offset != 0 || (self.more_fragments && matches!(fragments, Fragments::All));
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
        let (version, payload, next_header, source, destination): (u8, u16, u8, [u32; 4], [u32; 4]) = (
            load(&header.vcf),
            load(&header.payload_len),
            load(&header.next_hdr),
            load(&header.src_addr),
            load(&header.dst_addr),
        );
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
        fragments: Fragments,
    ) -> Result<Upper, Outcome> {
        let upper =
            Upper { protocol: self.next_header, offset: offset + size_of::<Ipv6Hdr>(), length, fragment: false };
        ext_headers::look_through(packet, upper, fragments)
    }
}
