//! How a service is found: its key, and where the key lies in the table.

/// Which fields of a packet a key names. The datapath tries the kinds in this order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Address, protocol and port.
    Port = 1,
    /// Address and protocol, any port.
    Protocol = 2,
    /// Address alone.
    Address = 3,
    /// Address and protocol of fragments, whose ports are unknown.
    Fragment = 4,
    /// Prefix, protocol and port.
    PrefixPort = 5,
    /// Prefix and protocol, any port.
    PrefixProtocol = 6,
    /// Prefix alone.
    PrefixAddress = 7,
    /// Prefix and protocol of fragments.
    PrefixFragment = 8,
    /// No service: an address of this host or a broadcast address of its networks, which prefix services leave alone.
    Own = 9,
    /// No service: an address for which this host answers ARP requests and neighbour solicitations with the group's
    /// MAC.
    Announced = 10,
    /// No service: a host whose frames are not balanced again, by its MAC and the number of a set of peers; see
    /// [`peer`] and [`PEER_TAG`].
    Peer = 11,
}

/// Which end of a packet a service's address is compared with. Services of both directions lie in one table; their tags
/// differ.
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
    /// The family as [`tag`] takes it: 4 or 6, combined with the side.
    #[inline(always)]
    pub const fn of(self, family: u8) -> u8 {
        family | self as u8
    }
}

/// The family of a value that [`Side::of`] returned.
#[inline(always)]
pub const fn family_of(sided: u8) -> u8 {
    sided & !(Side::Source as u8)
}

/// What a cell must equal besides the address: kind, family, protocol and port in one word. Never 0, which is the tag
/// of an empty cell.
#[inline(always)]
pub const fn tag(family: u8, kind: Kind, protocol: u8, port: u16) -> u32 {
    (port as u32) << 16 | (protocol as u32) << 8 | (kind as u32) << 4 | family as u32
}

/// The [`tag`] of every peer: its key is of no family.
pub const PEER_TAG: u32 = tag(0, Kind::Peer, 0, 0);

/// What stands in a peer's cell instead of an address. `mac` has the MAC in its first six bytes in memory.
#[inline(always)]
pub const fn peer(mac: u64, set: u32) -> [u64; 2] {
    [set as u64, mac]
}

/// The address's part of the hash, computed once for a packet however many keys are tried. An IPv4 address is its own
/// hash.
#[inline(always)]
pub const fn hash_halves([high, low]: [u64; 2]) -> u64 {
    let mixed = high.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32 ^ low
}

/// The same for a prefix. Prefixes of different lengths can have the same bits, so the length is mixed in.
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

/// The key's hash. Its first bits say where the search for the key starts.
///
/// Multiply-shift (Dietzfelbinger et al., 1997): one multiplication by an odd number. An IPv4 address and a tag fill
/// exactly 64 bits, so nothing of them is lost. Each table has its own seed: user space tries seeds until no service
/// lies too far from its place. The seed changes bits all over the factor, because two keys may differ at either end.
#[inline(always)]
pub const fn hash(address_hash: u64, tag: u32, seed: u16) -> u64 {
    let factor = 0xd6e8_feb8_6659_fd93 ^ (seed as u64).wrapping_mul(0x0002_0002_0002_0002);
    (address_hash ^ (tag as u64) << 32).wrapping_mul(factor)
}

/// Where the search starts, among 2^`bits` cells; `bits` is 1 to 32.
#[inline(always)]
pub const fn first_cell(hash: u64, bits: u32) -> u32 {
    (hash >> (64 - bits)) as u32
}
