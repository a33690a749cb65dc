//! Headers with named fields, where network-types has none that fits.

/// Ethernet II, each address split so that it is moved by two wide loads or stores instead of six narrow ones.
///
/// Trap: fields are arrays of bytes, never numbers. The compiler sees through a cast to the type that a field already has,
/// remembers that the header is packed, and moves the number byte by byte.
#[repr(C, packed)]
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

/// What TCP, UDP, UDP-Lite, SCTP and DCCP start with.
#[repr(C, packed)]
pub struct Ports {
    pub source: [u8; 2],
    pub destination: [u8; 2],
}

/// The first eight bytes of ICMP and ICMPv6 (RFC 792, RFC 4443).
#[repr(C, packed)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    pub checksum: [u8; 2],
    pub rest: [u8; 4],
}

/// What every IPv6 extension header starts with (RFC 8200, 4).
#[repr(C, packed)]
pub struct Extension {
    pub next_header: u8,
    /// In units of 8 bytes without the first 8; in the authentication header (RFC 4302, 2.2) units of 4 without the
    /// first 8.
    pub length: u8,
}

/// The IPv6 fragment header (RFC 8200, 4.5).
#[repr(C, packed)]
pub struct Fragment {
    pub next_header: u8,
    pub reserved: u8,
    /// Offset in units of 8 bytes (13 bits), two reserved bits, more fragments.
    pub offset: [u8; 2],
    pub identification: [u8; 4],
}
