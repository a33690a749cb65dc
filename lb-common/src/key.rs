//! How a service is found: its key, and the key's place in the table.

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

/// The address's part of the hash, computed once for a packet, whatever the number of keys that are tried. An IPv4 address is
/// its own.
#[inline(always)]
pub const fn hash_halves([high, low]: [u64; 2]) -> u64 {
    let mixed = high.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32 ^ low
}

/// The same for a prefix, which may have the same bits as another of another length.
#[inline(always)]
pub const fn hash_prefix(halves: [u64; 2], length: u32) -> u64 {
    hash_halves(halves) ^ (length as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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

/// The key's hash, of which the first bits are the place where the search for it starts.
///
/// Multiply-shift (Dietzfelbinger et al., 1997): one multiplication by an odd number. That of an IPv4 address and a tag, which
/// fill 64 bits, loses nothing. Each table has a seed of its own, so that user space can always find one in which no service
/// lies too far from its place; the seed changes the factor all along, since what differs between two keys may be at either end.
#[inline(always)]
pub const fn hash(address_hash: u64, tag: u32, seed: u16) -> u64 {
    let factor = 0xd6e8_feb8_6659_fd93 ^ (seed as u64).wrapping_mul(0x0002_0002_0002_0002);
    (address_hash ^ (tag as u64) << 32).wrapping_mul(factor)
}

/// The place where the search starts, of 2^`bits` cells; `bits` is 1 to 32.
#[inline(always)]
pub const fn first_cell(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - bits)) as u32
}
