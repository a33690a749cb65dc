//! Headers that the crate network-types lacks, or has with unsuitable fields.

use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use crate::packet::Wire;

/// Ethernet II. Each address is split so that two wide loads or stores move it instead of six narrow ones.
///
/// Trap: fields are arrays of bytes, never numbers, so that a header may stand at any address.
#[repr(C)]
pub struct Ethernet {
    /// The first four bytes of the destination.
    pub destination_head: [u8; 4],
    /// Its last two.
    pub destination_tail: [u8; 2],
    /// The first two bytes of the source.
    pub source_head: [u8; 2],
    /// Its last four.
    pub source_tail: [u8; 4],
    /// What follows, in network byte order.
    pub ether_type: [u8; 2],
}

const _: () = assert!(size_of::<Ethernet>() == 14);

/// What follows the EtherType of a tag (IEEE 802.1Q, 9.6).
#[repr(C)]
pub struct Tag {
    /// Priority (3 bits), drop eligible indicator, VLAN (12 bits), in network byte order.
    pub control: [u8; 2],
    /// What follows, in network byte order.
    pub ether_type: [u8; 2],
}

/// A frame whose outer tag may be written to: [`Ethernet`] and the tag.
#[repr(C)]
pub struct TaggedEthernet {
    pub ethernet: Ethernet,
    pub tag: Tag,
}

/// ARP of IPv4 over Ethernet (RFC 826); addresses split as in [`Ethernet`].
#[repr(C)]
pub struct Arp {
    /// The types of the link-layer and network addresses.
    pub kind: [u8; 4],
    /// Their lengths, and the operation.
    pub operation: [u8; 4],
    pub sender_mac_head: [u8; 4],
    pub sender_mac_tail: [u8; 2],
    pub sender: [u8; 4],
    pub target_mac_head: [u8; 4],
    pub target_mac_tail: [u8; 2],
    pub target: [u8; 4],
}

const _: () = assert!(size_of::<Arp>() == 28);

/// A neighbour solicitation or advertisement with the link-layer address option (RFC 4861, 4.3, 4.4, 4.6.1).
#[repr(C)]
pub struct Solicitation {
    /// Type and code.
    pub kind: [u8; 2],
    pub checksum: [u8; 2],
    pub flags: [u8; 4],
    pub target: [u8; 16],
    /// The option's type and length, and the MAC's first two bytes.
    pub option_head: [u8; 4],
    /// The MAC's last four.
    pub option_tail: [u8; 4],
}

const _: () = assert!(size_of::<Solicitation>() == 32);

/// An IPv6 packet that is a [`Solicitation`].
#[repr(C)]
pub struct NeighbourPacket {
    pub ip: Ipv6Hdr,
    pub message: Solicitation,
}

/// What TCP, UDP, UDP-Lite, SCTP and DCCP start with.
#[repr(C)]
pub struct Ports {
    pub source: [u8; 2],
    pub destination: [u8; 2],
}

/// TCP without options (RFC 9293, 3.1).
#[repr(C)]
pub struct Tcp {
    pub ports: Ports,
    pub sequence: [u8; 4],
    pub acknowledgement: [u8; 4],
    /// The header's length (4 bits), reserved bits, and two bits for congestion.
    pub length: u8,
    /// [`Tcp::SYN`] and the like.
    pub flags: u8,
    pub window: [u8; 2],
    pub checksum: [u8; 2],
    pub urgent: [u8; 2],
}

const _: () = assert!(size_of::<Tcp>() == 20);

impl Tcp {
    pub const SYN: u8 = 1 << 1;
    pub const RST: u8 = 1 << 2;
    pub const ACK: u8 = 1 << 4;
}

/// The first eight bytes of ICMP and ICMPv6 (RFC 792, RFC 4443).
#[repr(C)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    pub checksum: [u8; 2],
    pub rest: [u8; 4],
}

/// What every IPv6 extension header starts with (RFC 8200, 4).
#[repr(C)]
pub struct Extension {
    pub next_header: u8,
    /// In units of 8 bytes, not counting the first 8; in the authentication header (RFC 4302, 2.2) in units of 4, not
    /// counting the first 8.
    pub length: u8,
}

/// The IPv6 fragment header (RFC 8200, 4.5).
#[repr(C)]
pub struct Fragment {
    pub next_header: u8,
    pub reserved: u8,
    /// Offset in units of 8 bytes (13 bits), two reserved bits, more fragments.
    pub offset: [u8; 2],
    pub identification: [u8; 4],
}

macro_rules! wire {
    ($($header:ty),+) => {
        $(
            // SAFETY: all of its fields are bytes.
            unsafe impl Wire for $header {}
            const _: () = assert!(align_of::<$header>() == 1);
        )+
    };
}

wire!(Ethernet, TaggedEthernet, Tag, Arp, Ipv4Hdr, Ipv6Hdr, Solicitation, NeighbourPacket);
wire!(Ports, Tcp, Icmp, Extension, Fragment);
