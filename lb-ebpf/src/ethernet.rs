//! The link layer: is the frame for this host, and what does it carry?

use lb_common::{limits::MAX_VLAN_TAGS, outcome::Outcome};

use crate::{
    headers::{Ethernet, Tag},
    hint::likely,
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

/// What the link layer carries: where the next header starts, and its type.
pub struct Frame {
    pub offset: usize,
    pub ether_type: u16,
}

/// Whose frames a program takes.
pub trait Addressee: Copy {
    /// Whether it takes frames with this destination: its first four bytes, and its last two.
    fn takes(self, head: u32, tail: u16) -> bool;

    /// The same by the first eight bytes of a frame, of which the last two are the source's.
    #[inline(always)]
    fn takes_start(self, start: u64) -> bool {
        self.takes(start as u32, (start >> 32) as u16)
    }
}

/// An interface, whose MAC is the first six bytes of this number in memory.
#[derive(Clone, Copy)]
pub struct Own(pub u64);

impl Addressee for Own {
    #[inline(always)]
    fn takes(self, head: u32, tail: u16) -> bool {
        let Self(own) = self;
        let destination = head as u64 | (tail as u64) << 32;
        destination == own || (head == VRRP_HEAD && matches!(tail.to_ne_bytes()[0], 1 | 2))
    }

    #[inline(always)]
    fn takes_start(self, start: u64) -> bool {
        let Self(own) = self;
        likely((start ^ own) << 16 == 0) || self.takes(start as u32, (start >> 32) as u16)
    }
}

/// A member of a group: its own MAC, and the group's; 0: the group has none.
#[derive(Clone, Copy)]
pub struct Member {
    pub own: u64,
    pub group: u64,
}

impl Member {
    /// A group's MAC that stands for every MAC: the member takes whatever it receives.
    pub const EVERY_MAC: u64 = u64::MAX;
}

impl Addressee for Member {
    #[inline(always)]
    fn takes(self, head: u32, tail: u16) -> bool {
        let Self { own, group } = self;
        let destination = head as u64 | (tail as u64) << 32;
        Own(own).takes(head, tail) || (group != 0 && destination == group) || group == Self::EVERY_MAC
    }
}

/// One host, whichever it is.
#[derive(Clone, Copy)]
pub struct Unicast;

impl Addressee for Unicast {
    #[inline(always)]
    fn takes(self, head: u32, _tail: u16) -> bool {
        head.to_ne_bytes()[0] & 1 == 0
    }
}

/// Everyone.
#[derive(Clone, Copy)]
pub struct Everyone;

impl Addressee for Everyone {
    #[inline(always)]
    fn takes(self, _head: u32, _tail: u16) -> bool {
        true
    }
}

/// Takes frames that are addressed so.
#[inline(always)]
pub fn read(packet: &Packet<impl Context>, addressee: impl Addressee) -> Result<Frame, Outcome> {
    let header = packet.header::<Ethernet>(0)?;
    let (head, tail, ether_type): (u32, u16, u16) =
        (load(&header.destination_head), load(&header.destination_tail), load(&header.ether_type));
    if !addressee.takes(head, tail) {
        return Err(Outcome::NotOurs);
    }
    Ok(Frame { offset: size_of::<Ethernet>(), ether_type: u16::from_be(ether_type) })
}

/// Skips VLAN tags.
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
