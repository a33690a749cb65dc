//! The tuple that the formula adds up.
//!
//! Trap: everything here is a number in the host's order, never bytes as they stand in the packet.

/// The IP protocol numbers that the datapath tells apart (IANA, "Assigned Internet Protocol Numbers").
pub mod protocol {
    /// IPv6 hop-by-hop options, RFC 8200.
    pub const HOP_BY_HOP: u8 = 0;
    /// RFC 792.
    pub const ICMP: u8 = 1;
    /// RFC 9293.
    pub const TCP: u8 = 6;
    /// RFC 768.
    pub const UDP: u8 = 17;
    /// RFC 4340.
    pub const DCCP: u8 = 33;
    /// IPv6 routing header, RFC 8200.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header, RFC 8200.
    pub const FRAGMENT: u8 = 44;
    /// RFC 2784.
    pub const GRE: u8 = 47;
    /// RFC 4303.
    pub const ESP: u8 = 50;
    /// RFC 4302.
    pub const AH: u8 = 51;
    /// RFC 4443.
    pub const ICMPV6: u8 = 58;
    /// IPv6 destination options, RFC 8200.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// RFC 9260.
    pub const SCTP: u8 = 132;
    /// RFC 3828.
    pub const UDP_LITE: u8 = 136;

    /// Whether the protocol's header starts with a source and a destination port of 16 bits each.
    #[inline(always)]
    pub const fn has_ports(protocol: u8) -> bool {
        matches!(protocol, TCP | UDP | UDP_LITE | SCTP | DCCP)
    }
}

/// An address as the formula and the service table see it.
pub trait Address: Copy {
    /// 4 or 6; part of a service's key, so that an IPv4 address never equals an IPv6 one.
    const FAMILY: u8;

    /// The address as a 128-bit number, the more significant half first. An IPv4 address fills the last 32 bits.
    fn halves(self) -> [u64; 2];

    /// Whether these halves, of an address of the same family, are of this one.
    #[inline(always)]
    fn is(self, halves: [u64; 2]) -> bool {
        self.halves() == halves
    }

    /// A number below 2^52 that is congruent to `self + other` modulo the `T` whose powers are given: `powers[i]` is
    /// `2^(32 * (i + 1)) mod T`.
    fn sum_modulo(self, other: Self, powers: &[u32; 3]) -> u64;
}

/// An IPv4 address as a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct V4(pub u32);

/// An IPv6 address as four 32-bit digits, the most significant first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct V6(pub [u32; 4]);

impl Address for V4 {
    const FAMILY: u8 = 4;

    #[inline(always)]
    fn halves(self) -> [u64; 2] {
        [0, self.0 as u64]
    }

    /// Of IPv4 addresses the first half is always 0.
    #[inline(always)]
    fn is(self, [_, low]: [u64; 2]) -> bool {
        self.0 as u64 == low
    }

    #[inline(always)]
    fn sum_modulo(self, other: Self, _powers: &[u32; 3]) -> u64 {
        self.0 as u64 + other.0 as u64
    }
}

impl Address for V6 {
    const FAMILY: u8 = 6;

    #[inline(always)]
    fn halves(self) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        [(a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64]
    }

    /// Horner's scheme would need a division for each digit; with the powers of 2^32 kept beside T, each digit costs a
    /// multiplication. A digit sum has 33 bits and a power at most 16, so the four products stay below 2^51.
    #[inline(always)]
    fn sum_modulo(self, other: Self, powers: &[u32; 3]) -> u64 {
        let digit = |i: usize| self.0[i] as u64 + other.0[i] as u64;
        digit(3) + digit(2) * powers[0] as u64 + digit(1) * powers[1] as u64 + digit(0) * powers[2] as u64
    }
}

/// The packet's tuple, oriented: the source is the client, the destination the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow<A> {
    /// The client's address.
    pub source: A,
    /// The service's address.
    pub destination: A,
    /// The client's port; 0 where there are none.
    pub source_port: u16,
    /// The service's port; 0 where there are none.
    pub destination_port: u16,
    /// The IP protocol number, in IPv6 that of the upper layer.
    pub protocol: u8,
    /// Whether the packet is a piece of a larger one, so that its ports are not to be relied on.
    pub fragment: bool,
}

impl<A: Copy> Flow<A> {
    /// The same session as its other direction shows it: of a packet from the service to the client, the oriented tuple.
    #[inline(always)]
    pub const fn swapped(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            protocol: self.protocol,
            fragment: self.fragment,
        }
    }
}
