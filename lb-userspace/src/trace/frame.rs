//! What the frame itself shows, where the program found no tuple, or only that of a quoted packet.

use lb_common::{
    flow::protocol::{ICMP, ICMPV6},
    mac::Mac,
};
use lb_ebpf::{
    ethernet::{self, Everyone, ether_type},
    ip::{Header4, Header6},
    packet::Packet,
    parse::{self, Parsed},
    upper::Fragments,
};

use crate::decide::{frame::CapturedFrame, judge::Tuple};

/// The link layer of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkLayer {
    /// The sender.
    pub source: Mac,
    /// The destination.
    pub destination: Mac,
    /// The EtherType behind up to two VLAN tags.
    pub ether_type: u16,
}

/// The link layer, if the frame is long enough.
pub fn link_layer(bytes: &[u8], length: usize) -> Option<LinkLayer> {
    let (destination, source) = (*bytes.first_chunk()?, *bytes.get(6..)?.first_chunk()?);
    let mut captured = CapturedFrame::new(bytes, length);
    // SAFETY: the frame outlives the packet.
    let packet = unsafe { Packet::new(&raw mut captured) };
    let frame = ethernet::read(&packet, Everyone).and_then(|frame| ethernet::untag(&packet, &frame)).ok()?;
    Some(LinkLayer { source: Mac(source), destination: Mac(destination), ether_type: frame.ether_type })
}

/// The tuple of a frame, whatever its destination MAC.
pub fn tuple(bytes: &[u8], length: usize) -> Option<Tuple> {
    let mut captured = CapturedFrame::new(bytes, length);
    // SAFETY: the frame outlives the packet.
    let packet = unsafe { Packet::new(&raw mut captured) };
    let frame = ethernet::read(&packet, Everyone).ok()?;
    match parse::network(&packet, &frame).ok()? {
        Parsed::V4(flow) => Some(Tuple::from(&flow)),
        Parsed::V6(flow) => Some(Tuple::from(&flow)),
    }
}

/// Whether it is an ICMP error; its tuple is then that of the quoted packet.
pub fn is_error(bytes: &[u8], length: usize) -> bool {
    /// As in the datapath: unreachable, time exceeded, parameter problem (RFC 792).
    const ERRORS4: [u8; 3] = [3, 11, 12];
    /// The same and packet too big (RFC 4443).
    const ERRORS6: [u8; 4] = [1, 2, 3, 4];

    let mut captured = CapturedFrame::new(bytes, length);
    // SAFETY: the frame outlives the packet.
    let packet = unsafe { Packet::new(&raw mut captured) };
    let Ok(frame) = ethernet::read(&packet, Everyone).and_then(|frame| ethernet::untag(&packet, &frame)) else {
        return false;
    };
    let (upper, icmp, errors) = match frame.ether_type {
        ether_type::IPV4 => {
            let Ok(header) = Header4::read(&packet, frame.offset) else { return false };
            (header.upper(frame.offset, header.total - header.length, Fragments::All), ICMP, &ERRORS4[..])
        }
        ether_type::IPV6 => {
            let Ok(header) = Header6::read(&packet, frame.offset) else { return false };
            let Ok(upper) = header.upper(&packet, frame.offset, header.payload, Fragments::All) else { return false };
            (upper, ICMPV6, &ERRORS6[..])
        }
        _ => return false,
    };
    upper.protocol == icmp && !upper.fragment && upper.icmp_kind(&packet).is_ok_and(|kind| errors.contains(&kind))
}
