//! The tuple that the formula adds up.
//!
//! Trap: everything here is a number in host byte order, never bytes as they stand in the packet.

/// The IP protocol numbers that the datapath tells apart (IANA, "Assigned Internet Protocol Numbers").
pub mod protocol {
    /// The protocols that a service can be given by name. A row holds everything about one: constant, number, name,
    /// `ports` if its header starts with a source and a destination port of 16 bits each, else `no_ports`, and its
    /// specification.
    macro_rules! protocols {
        ($($constant:ident = $number:literal $name:literal $ports:ident $reference:literal;)+) => {
            $(#[doc = $reference] pub const $constant: u8 = $number;)+

            /// Name and number of each protocol that has a name.
            pub const NAMES: &[(&str, u8)] = &[$(($name, $constant),)+];

            /// Whether the protocol's header starts with a source and a destination port of 16 bits each.
            #[inline(always)]
            pub const fn has_ports(protocol: u8) -> bool {
                match protocol {
                    $($constant => has_ports!($ports),)+
                    _ => false,
                }
            }
        };
    }

    macro_rules! has_ports {
        (ports) => {
            true
        };
        (no_ports) => {
            false
        };
    }

    protocols! {
        TCP = 6 "tcp" ports "RFC 9293.";
        UDP = 17 "udp" ports "RFC 768.";
        SCTP = 132 "sctp" ports "RFC 9260.";
        DCCP = 33 "dccp" ports "RFC 4340.";
        UDP_LITE = 136 "udplite" ports "RFC 3828.";
        ICMP = 1 "icmp" no_ports "RFC 792.";
        ICMPV6 = 58 "icmpv6" no_ports "RFC 4443.";
        ESP = 50 "esp" no_ports "RFC 4303.";
        AH = 51 "ah" no_ports "RFC 4302.";
        GRE = 47 "gre" no_ports "RFC 2784.";
    }

    /// IPv6 hop-by-hop options, RFC 8200.
    pub const HOP_BY_HOP: u8 = 0;
    /// IPv6 routing header, RFC 8200.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header, RFC 8200.
    pub const FRAGMENT: u8 = 44;
    /// IPv6 destination options, RFC 8200.
    pub const DESTINATION_OPTIONS: u8 = 60;
}

/// An address, as the formula and the service table use it.
pub trait Address: Copy {
    /// 4 or 6; part of a service's key, so that an IPv4 address never equals an IPv6 one.
    const FAMILY: u8;

    /// The address as a 128-bit number, the more significant half first. An IPv4 address fills the last 32 bits.
    fn halves(self) -> [u64; 2];

    /// Whether these are the halves of this address. They are known to be of its family.
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

    /// The first half of an IPv4 address is always 0.
    #[inline(always)]
    fn is(self, [_, low]: [u64; 2]) -> bool {
        self.0 as u64 == low
    }

    #[inline(always)]
    fn sum_modulo(self, other: Self, _powers: &[u32; 3]) -> u64 {
        self.0 as u64 + other.0 as u64
    }
}

impl V6 {
    /// The reverse of [`Address::halves`].
    #[inline(always)]
    pub const fn from_halves([high, low]: [u64; 2]) -> Self {
        Self([(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32])
    }
}

impl Address for V6 {
    const FAMILY: u8 = 6;

    #[inline(always)]
    fn halves(self) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        [(a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64]
    }

    /// Horner's scheme would need a division for each digit; with the powers of 2^32 kept next to T, each digit costs a
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
    /// Whether the packet is a fragment, whose ports are unknown or not to be relied on.
    pub fragment: bool,
}

impl<A: Copy> Flow<A> {
    /// The tuple with its ends exchanged: orients a packet from the service to the client.
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
