//! The oracle's parser of frames, written from section 5 of the design.
//!
//! etherparse reads each header, but not where one ends and what follows: its parsers of whole packets differ from the
//! design. They skip AH in IPv4, and shim6 and mobility headers; they refuse hop-by-hop options that are not the first
//! header; and they take the length of a frame for that of a packet.

use std::net::IpAddr;

use etherparse::{
    Ethernet2HeaderSlice, Icmpv6Slice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, SingleVlanHeaderSlice,
};

use super::outcome::Outcome;

/// What the formula and the services need.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tuple {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    /// A fragment, whose ports do not count.
    pub piece: bool,
}

/// The IP packet in a frame that arrived at an interface with the MAC `own`.
fn packet(frame: &[u8], own: [u8; 6]) -> Result<(Family, Ip<'_>), Outcome> {
    let ethernet = Ethernet2HeaderSlice::from_slice(frame).or(Err(Outcome::Malformed))?;
    let is_vrrp = |destination: [u8; 6]| matches!(destination, [0, 0, 0x5e, 0, 1 | 2, _]);
    if ethernet.destination() != own && !is_vrrp(ethernet.destination()) {
        return Err(Outcome::NotOurs);
    }
    let (mut kind, mut rest) = (ethernet.ether_type().0, &frame[14..]);
    // Not 0x9100, which etherparse would read as a tag as well.
    for _ in 0..2 {
        if ![0x8100, 0x88a8].contains(&kind) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(rest).or(Err(Outcome::Malformed))?;
        (kind, rest) = (tag.ether_type().0, &rest[4..]);
    }
    let family = match kind {
        0x0800 => Family::Four,
        0x86dd => Family::Six,
        _ => return Err(Outcome::NotIp),
    };
    Ok((family, family.read(rest, Extent::Whole)?))
}

/// Whether a frame with a TCP tuple belongs to a connection that is open: it opens none, and is long enough to tell, or
/// is an ICMP error.
pub fn is_of_an_open_connection(frame: &[u8], own: [u8; 6]) -> bool {
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    match packet(frame, own) {
        Ok((_, Ip { protocol: 6, payload, .. })) => payload.len() >= 20 && payload[13] & (SYN | RST | ACK) != SYN,
        other => other.is_ok(),
    }
}

/// The tuple of a frame that arrived at an interface with the MAC `own`.
pub fn read(frame: &[u8], own: [u8; 6]) -> Result<Tuple, Outcome> {
    let (family, ip) = packet(frame, own)?;
    match ip.message(family)? {
        None => ip.tuple(),
        Some(kind) if family.is_error(kind) => {
            quoted(&ip.payload[8..], family, ip.destination).ok_or(Outcome::NoService)
        }
        Some(kind) if family.is_the_links(kind) => Err(Outcome::NoService),
        Some(_) => ip.tuple(),
    }
}

/// The tuple of the packet that an ICMP error quotes, with the client as source.
fn quoted(quote: &[u8], family: Family, destination: IpAddr) -> Option<Tuple> {
    let ip = family.read(quote, Extent::Quote).ok()?;
    let message = ip.message(family).ok()?;
    let is_nobodys = message.is_some_and(|kind| family.is_error(kind) || family.is_the_links(kind));
    if ip.source != destination || is_nobodys {
        return None;
    }
    let sent = ip.tuple().ok()?;
    Some(Tuple {
        source: sent.destination,
        destination: sent.source,
        source_port: sent.destination_port,
        destination_port: sent.source_port,
        ..sent
    })
}

/// How much of a packet must be present.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Extent {
    /// All that its header claims. Every fragment is treated as one, also the first.
    Whole,
    /// It may be truncated anywhere. A first fragment is read like a whole packet.
    Quote,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Family {
    Four,
    Six,
}

impl Family {
    fn read(self, bytes: &[u8], extent: Extent) -> Result<Ip<'_>, Outcome> {
        match self {
            Self::Four => ipv4(bytes, extent),
            Self::Six => ipv6(bytes, extent),
        }
    }

    const fn icmp(self) -> u8 {
        match self {
            Self::Four => 1,
            Self::Six => 58,
        }
    }

    /// Errors: unreachable, too big, time exceeded, parameter problem.
    const fn is_error(self, kind: u8) -> bool {
        match self {
            Self::Four => matches!(kind, 3 | 11 | 12),
            Self::Six => matches!(kind, 1..=4),
        }
    }

    /// Neighbour discovery and MLD.
    const fn is_the_links(self, kind: u8) -> bool {
        match self {
            Self::Four => false,
            Self::Six => matches!(kind, 130..=137 | 143),
        }
    }
}

struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    piece: bool,
    payload: &'a [u8],
}

impl Ip<'_> {
    /// The type of the ICMP message, if this is one.
    ///
    /// `Icmpv4Slice` would refuse timestamps (RFC 792) that are not 20 bytes long; the design requires only the 8 bytes
    /// that all messages have.
    fn message(&self, family: Family) -> Result<Option<u8>, Outcome> {
        if self.piece || self.protocol != family.icmp() {
            return Ok(None);
        }
        let kind = match family {
            Family::Four => self.payload.get(..8).map(|header| header[0]),
            Family::Six => Icmpv6Slice::from_slice(self.payload).ok().map(|message| message.type_u8()),
        };
        kind.map(Some).ok_or(Outcome::Malformed)
    }

    /// Ports are the first four bytes, and no more is required: etherparse's slices need whole headers, and do not
    /// exist for SCTP, DCCP and UDP-Lite.
    fn tuple(&self) -> Result<Tuple, Outcome> {
        let (mut source_port, mut destination_port) = (0, 0);
        if !self.piece && [6, 17, 136, 132, 33].contains(&self.protocol) {
            let [a, b, c, d, ..] = *self.payload else { return Err(Outcome::Malformed) };
            (source_port, destination_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        }
        Ok(Tuple {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port,
            destination_port,
            piece: self.piece,
        })
    }
}

fn ipv4(bytes: &[u8], extent: Extent) -> Result<Ip<'_>, Outcome> {
    let header = Ipv4HeaderSlice::from_slice(bytes).or(Err(Outcome::Malformed))?;
    let (length, total) = (header.slice().len(), usize::from(header.total_len()));
    if total < length || (extent == Extent::Whole && total > bytes.len()) {
        return Err(Outcome::Malformed);
    }
    let starts_later = header.fragments_offset().value() > 0;
    Ok(Ip {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.protocol().0,
        piece: starts_later || (extent == Extent::Whole && header.more_fragments()),
        payload: &bytes[length..total.min(bytes.len())],
    })
}

fn ipv6(bytes: &[u8], extent: Extent) -> Result<Ip<'_>, Outcome> {
    let header = Ipv6HeaderSlice::from_slice(bytes).or(Err(Outcome::Malformed))?;
    let (claimed, there) = (usize::from(header.payload_length()), bytes.len() - 40);
    if extent == Extent::Whole && claimed > there {
        return Err(Outcome::Malformed);
    }
    let mut ip = Ip {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.next_header().0,
        piece: false,
        payload: &bytes[40..40 + claimed.min(there)],
    };
    for number in 0.. {
        let Some(header) = extension(ip.protocol, ip.payload) else { break };
        if number == 8 {
            return Err(Outcome::TooManyHeaders);
        }
        let header = header?;
        ip.protocol = header.next;
        if header.starts_later || (extent == Extent::Whole && header.more) {
            return Ok(Ip { piece: true, ..ip });
        }
        ip.payload = &ip.payload[header.length..];
    }
    Ok(ip)
}

/// An IPv6 extension header that is skipped.
#[derive(Default)]
struct Extension {
    next: u8,
    length: usize,
    /// Whether a fragment header says that other fragments follow or precede.
    more: bool,
    starts_later: bool,
}

/// The extension header of this kind at the start of `bytes`; `None` if this kind is not skipped.
fn extension(kind: u8, bytes: &[u8]) -> Option<Result<Extension, Outcome>> {
    let header = match kind {
        0 | 43 | 60 => Ipv6RawExtHeaderSlice::from_slice(bytes).ok().map(|header| Extension {
            next: header.next_header().0,
            length: header.slice().len(),
            ..Extension::default()
        }),
        44 => Ipv6FragmentHeaderSlice::from_slice(bytes).ok().map(|header| Extension {
            next: header.next_header().0,
            length: header.slice().len(),
            more: header.more_fragments(),
            starts_later: header.fragment_offset().value() > 0,
        }),
        // `IpAuthHeaderSlice` refuses a header that lacks fields after the length, which the design does not read.
        51 => bytes.get(..2).and_then(|start| {
            let length = 4 * (usize::from(start[1]) + 2);
            (bytes.len() >= length).then(|| Extension { next: start[0], length, ..Extension::default() })
        }),
        _ => return None,
    };
    Some(header.ok_or(Outcome::Malformed))
}
