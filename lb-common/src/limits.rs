//! Every bound that the datapath or its tables have.

/// The most slots that one service's table may have: a slot's server index has 16 bits.
pub const MAX_SLOTS_PER_SERVICE: u32 = 65_536;

/// A table with a server down is refined to at least this many slots (see `slots` in user space), so that the down
/// server's share is spread evenly over the others.
pub const REFINED_SLOTS: u32 = 4_096;

/// The number of slots of a `resilient` service that does not say otherwise; a prime.
pub const DEFAULT_RESILIENT_SLOTS: u32 = 16_381;

/// How many cells of the service table the datapath looks at before it gives up. User space only publishes a table in
/// which every service lies within this distance of its hash.
pub const MAX_PROBES: u32 = 8;

/// The service table has this many cells for each service it can hold; empty cells end a search early.
pub const CELLS_PER_SERVICE: u32 = 4;

/// A service stands in the table under at most this many keys: its own and that of its fragments. One of both directions
/// counts as two services.
pub const KEYS_PER_SERVICE: u32 = 2;

/// As many addresses of this host, and broadcast addresses of its networks, have room in the service table in any case.
pub const OWN_ADDRESSES: u32 = 256;

/// Addresses that a member may be told to be.
pub const MAX_SELF_ADDRESSES: usize = 8;

/// What an instance may hold of interfaces beside its links: memberships of multicast groups, promiscuous mode, filters.
pub const MAX_NIC_STATES: u32 = 1_024;

/// IPv6 extension headers that the datapath looks through; one more is `too_many_headers`.
pub const MAX_EXTENSION_HEADERS: u32 = 8;

/// VLAN tags that the datapath looks through; one more is `not_ip`.
pub const MAX_VLAN_TAGS: u32 = 2;

/// Bytes of a service's name, UTF-8, without terminator.
pub const MAX_NAME_BYTES: usize = 64;

/// Bytes of a health check's path, and of its host, UTF-8.
pub const MAX_CHECK_TEXT_BYTES: usize = 128;

/// Services in a half unless said otherwise when the instance is made.
pub const DEFAULT_SERVICES: u32 = 4_096;

/// Slots in a half unless said otherwise when the instance is made.
pub const DEFAULT_SLOTS: u32 = 262_144;

/// Server entries in a half, over all services, unless said otherwise when the instance is made.
pub const DEFAULT_SERVERS: u32 = 65_536;

/// A slot names its server's counter by 16 bits relative to the service's window of this many counters.
pub const COUNTER_WINDOW: u32 = 65_536;

/// The most interfaces that an instance can be attached to.
pub const MAX_INTERFACES: u32 = 256;

/// The largest number that a VLAN can have (IEEE 802.1Q: 0 and 4095 are none).
pub const MAX_VLAN: u16 = 4_094;

/// How long a map's value may be that programs go about in: the verifier lets them go less than 2^29 bytes into it
/// (`BPF_MAX_VAR_OFF`).
pub const MAX_VALUE_BYTES: u32 = (1 << 29) - 64;

/// The most services that an instance can be made for; their table fills half of a value.
pub const MAX_SERVICES: u32 = 1 << 17;

/// The most slots, over all services, that an instance can be made for: their table is one value, too.
pub const MAX_SLOTS: u32 = 1 << 24;

/// The most server entries, over all services, that an instance can be made for; fewer on machines of more than two CPUs, whose
/// counters are one value.
pub const MAX_SERVERS: u32 = 1 << 22;

/// An instance has this many counters for each server entry: those in force, those of servers that just left, and those
/// of servers that are about to come.
pub const COUNTERS_PER_SERVER: u32 = 3;

/// Tallies that fill a cache line of 64 bytes; so many counters fill whole ones.
pub const PACKED_COUNTERS_PER_LINE: u32 = 16;

/// The counters of outcomes that each CPU has, a few more than there are: so many fill whole cache lines, and no line belongs to
/// two CPUs.
pub const OUTCOME_COUNTERS: u32 = 16;
