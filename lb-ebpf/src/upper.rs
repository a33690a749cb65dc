//! The upper layer of an IP packet: ports, or an ICMP message.

use lb_common::{
    flow::{Flow, protocol},
    outcome::Outcome,
};

use crate::{
    headers::{Icmp, Ports},
    icmp,
    packet::{Context, Header, Packet, Wire, load},
};

/// The rest of an IP packet: a protocol, and where its header stands.
pub struct Upper {
    pub protocol: u8,
    pub offset: usize,
    /// Bytes that are left, by the IP header or the end of the quote.
    pub length: usize,
    /// It is a fragment, whose ports are unknown or not to be relied on.
    pub fragment: bool,
}

/// Which fragments of a packet go by addresses alone.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Fragments {
    /// All, so that they meet at one server.
    All = 0,
    /// Those that do not start with the upper layer's header.
    Later = 1,
}

/// What a packet says of its flow beyond addresses and protocol.
pub enum Content {
    /// Source and destination port; 0 where the protocol or the fragment has none.
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
    /// `icmp` is the protocol number of the family's ICMP.
    #[inline(always)]
    pub fn content(&self, packet: &Packet<impl Context>, icmp: u8) -> Result<Content, Outcome> {
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
        let header = self.header::<Ports>(packet)?;
        Ok((u16::from_be(load(&header.source)), u16::from_be(load(&header.destination))))
    }

    /// The type of the ICMP message that stands here.
    #[inline(always)]
    pub fn icmp_kind(&self, packet: &Packet<impl Context>) -> Result<u8, Outcome> {
        let header = self.header::<Icmp>(packet)?;
        Ok(load(&header.kind))
    }

    #[inline(always)]
    pub fn flow<A>(&self, source: A, destination: A, (source_port, destination_port): (u16, u16)) -> Flow<A> {
        Flow { source, destination, source_port, destination_port, protocol: self.protocol, fragment: self.fragment }
    }

    /// The header of type `T` that stands here, within both the frame and the IP length.
    #[inline(always)]
    fn header<'packet, T: Wire>(&self, packet: &'packet Packet<impl Context>) -> Result<Header<'packet, T>, Outcome> {
        if self.length < size_of::<T>() {
            return Err(Outcome::Malformed);
        }
        packet.header(self.offset)
    }
}
