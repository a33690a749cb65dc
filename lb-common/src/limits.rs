//! The limits of the datapath and its tables.

/// The most slots that one service's table may have: a slot's server index has 16 bits.
pub const MAX_SLOTS_PER_SERVICE: u32 = 65_536;

/// A table with a server down is refined to at least this many slots (see `slots` in user space), so that the server's
/// share is spread evenly over the others.
pub const REFINED_SLOTS: u32 = 4_096;

/// The default number of slots of a `resilient` service; a prime.
pub const DEFAULT_RESILIENT_SLOTS: u32 = 16_381;

/// How many cells of the service table the datapath looks at before it gives up. User space only publishes a table in
/// which every service lies within this distance of its hash.
pub const MAX_PROBES: u32 = 8;

/// The service table has this many cells for each service it can hold; empty cells end a search early.
pub const CELLS_PER_SERVICE: u32 = 4;

/// The most keys of a service in the table: its own and that of its fragments. A service of both directions counts as
/// two.
pub const KEYS_PER_SERVICE: u32 = 2;

/// The service table always has room for this many addresses of this host and broadcast addresses of its networks.
pub const OWN_ADDRESSES: u32 = 256;

/// The service table always has room for this many MACs of peers, over all sets of peers that differ.
pub const PEER_KEYS: u32 = 4_096;

/// The most addresses in `peers`.
pub const MAX_PEERS: usize = 32;

/// The most earlier server lists of a service.
pub const MAX_PREVIOUS: usize = 8;

/// The most addresses in a member's `self`.
pub const MAX_SELF_ADDRESSES: usize = 8;

/// The most changes that an instance may make to interfaces besides attaching programs: memberships of multicast
/// groups, promiscuous mode, filters.
pub const MAX_NIC_STATES: u32 = 1_024;

/// The most IPv6 extension headers that the datapath skips; with one more a packet is `too_many_headers`.
pub const MAX_EXTENSION_HEADERS: u32 = 8;

/// The most VLAN tags that the datapath skips; with one more a frame is `not_ip`.
pub const MAX_VLAN_TAGS: u32 = 2;

/// The most bytes of a service's name, UTF-8, without terminator.
pub const MAX_NAME_BYTES: usize = 64;

/// The most bytes of a network namespace's name or path, UTF-8, without terminator.
pub const MAX_NETNS_BYTES: usize = 128;

/// The most bytes of a health check's path, and of its host, UTF-8.
pub const MAX_CHECK_TEXT_BYTES: usize = 128;

/// The default number of services that a half has room for.
pub const DEFAULT_SERVICES: u32 = 4_096;

/// The default number of slots that a half has room for.
pub const DEFAULT_SLOTS: u32 = 262_144;

/// The default number of server entries, over all services, that a half has room for.
pub const DEFAULT_SERVERS: u32 = 65_536;

/// The counters of a service: a slot names its server's counter by 16 bits, relative to the service's first.
pub const COUNTER_WINDOW: u32 = 65_536;

/// The most interfaces that an instance can be attached to.
pub const MAX_INTERFACES: u32 = 256;

/// The largest number that a VLAN can have (IEEE 802.1Q: 0 and 4095 are none).
pub const MAX_VLAN: u16 = 4_094;

/// The longest value of a map that programs index themselves: the verifier allows offsets below 2^29 bytes
/// (`BPF_MAX_VAR_OFF`).
pub const MAX_VALUE_BYTES: u32 = (1 << 29) - 64;

/// The most services of an instance; their table fills half of a value.
pub const MAX_SERVICES: u32 = 1 << 17;

/// The most slots of an instance, over all services; their table is one value as well.
pub const MAX_SLOTS: u32 = 1 << 24;

/// The most server entries of an instance, over all services. Fewer on machines with more than two CPUs, because the
/// counters of all CPUs are one value.
pub const MAX_SERVERS: u32 = 1 << 22;

/// Counters for each server entry: one in force, one of a server that has just been removed, one of a server about to
/// be added.
pub const COUNTERS_PER_SERVER: u32 = 3;

/// Packed counters in a cache line of 64 bytes. A multiple of this many counters fills whole lines.
pub const PACKED_COUNTERS_PER_LINE: u32 = 16;

/// Counters of outcomes for each CPU: rounded up to whole cache lines, so that no line belongs to two CPUs.
pub const OUTCOME_COUNTERS: u32 = 32;
