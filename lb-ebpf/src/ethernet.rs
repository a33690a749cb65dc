//! The link layer: is the frame for this host, and what does it carry?

use lb_common::{limits::MAX_VLAN_TAGS, outcome::Outcome};

use crate::{
    headers::{Ethernet, Tag},
    packet::{Context, Packet, load},
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

/// Takes frames addressed to this interface, whose MAC is the first six bytes of `own` in memory.
#[inline(always)]
pub fn own(packet: &Packet<impl Context>, own: u64) -> Result<Frame, Outcome> {
    read(packet, |head, tail| is_ours(head, tail, own))
}

/// A group's MAC that stands for every MAC: the member takes whatever it receives.
pub const EVERY_MAC: u64 = u64::MAX;

/// Also takes frames addressed to the group's MAC; 0: the group has none.
#[inline(always)]
pub fn group(packet: &Packet<impl Context>, own: u64, group: u64) -> Result<Frame, Outcome> {
    read(packet, |head, tail| {
        let destination = head as u64 | (tail as u64) << 32;
        is_ours(head, tail, own) || (group != 0 && destination == group) || group == EVERY_MAC
    })
}

/// Takes frames addressed to one host, whichever it is.
#[inline(always)]
pub fn unicast(packet: &Packet<impl Context>) -> Result<Frame, Outcome> {
    read(packet, |head, _| head.to_ne_bytes()[0] & 1 == 0)
}

/// Takes every frame.
#[inline(always)]
pub fn any(packet: &Packet<impl Context>) -> Result<Frame, Outcome> {
    read(packet, |_, _| true)
}

#[inline(always)]
fn read(packet: &Packet<impl Context>, is_ours: impl FnOnce(u32, u16) -> bool) -> Result<Frame, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    let (head, tail, ether_type): (u32, u16, u16) =
        (load(&header.destination_head), load(&header.destination_tail), load(&header.ether_type));
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

/// Looks through VLAN tags.
#[inline(always)]
pub fn untag(packet: &Packet<impl Context>, frame: &Frame) -> Result<Frame, Outcome> {
    let Frame { mut offset, mut ether_type } = *frame;
    for _ in 0..MAX_VLAN_TAGS {
        if !matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN) {
            break;
        }
        let tag = packet.header::<Tag>(offset)?;
        ether_type = u16::from_be(load(&tag.ether_type));
        offset += size_of::<Tag>();
    }
    Ok(Frame { offset, ether_type })
}
