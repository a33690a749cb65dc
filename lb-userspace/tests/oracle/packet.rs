//! What a frame says, read as the design's section 5 wants it read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::outcome::Outcome;

/// What the formula and the services want to know.
#[derive(Clone, Debug)]
pub struct Tuple {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    /// The ports do not count.
    pub piece: bool,
}

/// The tuple of what follows the Ethernet header.
pub fn read(frame: &[u8]) -> Result<Tuple, Outcome> {
    let mut rest = &frame[12..];
    for _ in 0..2 {
        if [[0x81, 0x00], [0x88, 0xa8]].iter().any(|tag| rest.starts_with(tag)) {
            rest = rest.get(4..).filter(|rest| rest.len() >= 2).ok_or(Outcome::Malformed)?;
        }
    }
    let (packet, four) = match rest {
        [0x08, 0x00, packet @ ..] => (packet, true),
        [0x86, 0xdd, packet @ ..] => (packet, false),
        _ => return Err(Outcome::NotIp),
    };
    let ip = if four { ipv4(packet, true, false) } else { ipv6(packet, true, false) }?;
    let icmp = if four { 1 } else { 58 };
    if ip.piece || ip.protocol != icmp {
        return ip.tuple(icmp);
    }
    let message = ip.payload;
    if message.len() < 8 {
        return Err(Outcome::Malformed);
    }
    let is_error = if four { [3, 11, 12].contains(&message[0]) } else { (1..=4).contains(&message[0]) };
    if !is_error {
        return ip.tuple(icmp);
    }
    quoted(&message[8..], four, ip.destination).ok_or(Outcome::NoService)
}

/// The tuple of the packet that an ICMP error quotes, seen from the client.
fn quoted(quote: &[u8], four: bool, destination: IpAddr) -> Option<Tuple> {
    let ip = if four { ipv4(quote, false, true) } else { ipv6(quote, false, true) }.ok()?;
    let icmp = if four { 1 } else { 58 };
    if ip.source != destination {
        return None;
    }
    if !ip.piece && ip.protocol == icmp {
        let kind = *ip.payload.get(..8)?.first()?;
        if if four { [3, 11, 12].contains(&kind) } else { (1..=4).contains(&kind) } {
            return None;
        }
    }
    let sent = ip.tuple(icmp).ok()?;
    Some(Tuple {
        source: sent.destination,
        destination: sent.source,
        source_port: sent.destination_port,
        destination_port: sent.source_port,
        ..sent
    })
}

struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    piece: bool,
    payload: &'a [u8],
}

impl Ip<'_> {
    fn tuple(&self, icmp: u8) -> Result<Tuple, Outcome> {
        let mut tuple = Tuple {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port: 0,
            destination_port: 0,
            piece: self.piece,
        };
        if self.piece {
            return Ok(tuple);
        }
        if [6, 17, 136, 132, 33].contains(&self.protocol) {
            let [a, b, c, d, ..] = self.payload else { return Err(Outcome::Malformed) };
            (tuple.source_port, tuple.destination_port) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        } else if self.protocol == icmp && icmp == 58 && matches!(self.payload[0], 130..=137 | 143) {
            return Err(Outcome::NoService);
        }
        Ok(tuple)
    }
}

/// `whole`: what the header says of the length must be there. `first_has_ports`: a first piece is read like a packet.
fn ipv4(bytes: &[u8], whole: bool, first_has_ports: bool) -> Result<Ip<'_>, Outcome> {
    if bytes.len() < 20 || bytes[0] / 16 != 4 {
        return Err(Outcome::Malformed);
    }
    let header = usize::from(bytes[0] % 16) * 4;
    let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    if header < 20 || total < header || (whole && total > bytes.len()) {
        return Err(Outcome::Malformed);
    }
    let payload = bytes.get(header..total.min(bytes.len())).ok_or(Outcome::Malformed)?;
    let (more, offset) = (bytes[6] & 0x20 != 0, u16::from_be_bytes([bytes[6] & 0x1f, bytes[7]]));
    let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]).into();
    let piece = offset > 0 || (more && !first_has_ports);
    Ok(Ip { source: address(12), destination: address(16), protocol: bytes[9], piece, payload })
}

fn ipv6(bytes: &[u8], whole: bool, first_has_ports: bool) -> Result<Ip<'_>, Outcome> {
    if bytes.len() < 40 || bytes[0] / 16 != 6 {
        return Err(Outcome::Malformed);
    }
    let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    if whole && length > bytes.len() - 40 {
        return Err(Outcome::Malformed);
    }
    let address = |at: usize| -> IpAddr { Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap()).into() };
    let mut ip = Ip {
        source: address(8),
        destination: address(24),
        protocol: bytes[6],
        piece: false,
        payload: &bytes[40..40 + length.min(bytes.len() - 40)],
    };
    let mut headers = 0;
    while [0, 43, 44, 51, 60].contains(&ip.protocol) {
        if headers == 8 {
            return Err(Outcome::TooManyHeaders);
        }
        headers += 1;
        let [next, length, ..] = *ip.payload else { return Err(Outcome::Malformed) };
        let size = match ip.protocol {
            44 => 8,
            51 => 4 * (usize::from(length) + 2),
            _ => 8 * (usize::from(length) + 1),
        };
        if ip.protocol == 44 {
            let [_, _, high, low, _, _, _, _, ..] = *ip.payload else { return Err(Outcome::Malformed) };
            let field = u16::from_be_bytes([high, low]);
            if field / 8 > 0 || (field % 2 == 1 && !first_has_ports) {
                return Ok(Ip { protocol: next, piece: true, ..ip });
            }
        }
        ip.payload = ip.payload.get(size..).ok_or(Outcome::Malformed)?;
        ip.protocol = next;
    }
    Ok(ip)
}
