//! How a service is found: its key, and the key's place in the table.

use crate::flow::Address;

/// How much of a packet a key names. The datapath tries them in this order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Address, protocol and port.
    Port = 1,
    /// Address and protocol, any port.
    Protocol = 2,
    /// Address alone.
    Address = 3,
    /// The fragments sent to an address by a protocol, whose ports cannot be known.
    Fragment = 4,
    /// Prefix, protocol and port.
    PrefixPort = 5,
    /// Prefix and protocol, any port.
    PrefixProtocol = 6,
    /// Prefix alone.
    PrefixAddress = 7,
    /// The fragments sent to a prefix by a protocol.
    PrefixFragment = 8,
    /// An address of this host or a broadcast address of its networks, which no prefix service takes.
    Own = 9,
    /// An address whose MAC this host tells to whoever asks: that of the group.
    Announced = 10,
}

/// Which end of a packet a service's address is compared with: services of the two directions lie in one table and never
/// meet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The packet goes to the service.
    #[default]
    Destination = 0,
    /// The packet comes from the service.
    Source = 8,
}

impl Side {
    /// What [`tag`] takes for the family: 4 or 6, and the side.
    #[inline(always)]
    pub const fn of(self, family: u8) -> u8 {
        family | self as u8
    }
}

/// The family in what [`Side::of`] returned.
#[inline(always)]
pub const fn family_of(sided: u8) -> u8 {
    sided & !(Side::Source as u8)
}

/// What a cell must equal besides the address: kind, family, protocol and port in one word. Never 0, which is the tag of
/// an empty cell.
#[inline(always)]
pub const fn tag(family: u8, kind: Kind, protocol: u8, port: u16) -> u32 {
    (port as u32) << 16 | (protocol as u32) << 8 | (kind as u32) << 4 | family as u32
}

/// The address's part of the hash: computed once for a packet, whatever the number of keys that are tried.
///
/// Multiply-shift (Dietzfelbinger et al., 1997) with odd 64-bit constants; the seed changes with each table, so that
/// user space can always find one in which no service lies too far from its place.
#[inline(always)]
pub fn hash_address<A: Address>(address: A, seed: u16) -> u64 {
    hash_halves(address.halves(), seed)
}

/// The same for an address in halves.
#[inline(always)]
pub const fn hash_halves([high, low]: [u64; 2], seed: u16) -> u64 {
    let mixed = (high ^ (seed as u64) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32 ^ low).wrapping_add(seed as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The same for a prefix, which may have the same bits as another of another length.
#[inline(always)]
pub const fn hash_prefix(halves: [u64; 2], length: u32, seed: u16) -> u64 {
    hash_halves(halves, seed) ^ (length as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The first `length` bits of 128, as halves.
#[inline(always)]
pub const fn mask([high, low]: [u64; 2], length: u32) -> [u64; 2] {
    match length {
        0 => [0, 0],
        1..=63 => [high & !(u64::MAX >> length), 0],
        64 => [high, 0],
        65..=127 => [high, low & !(u64::MAX >> (length - 64))],
        _ => [high, low],
    }
}

/// The place where the search for a key starts, of `mask + 1` cells (a power of two).
#[inline(always)]
pub const fn first_cell(address_hash: u64, tag: u32, mask: u32) -> u32 {
    let mixed = (address_hash ^ address_hash >> 32 ^ tag as u64).wrapping_mul(0xa076_1d64_78bd_642f);
    (mixed >> 32) as u32 & mask
}
