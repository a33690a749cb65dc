//! What must never change, so that every version can see whether it understands an instance's maps.

/// The version of everything that is shared through pinned maps: their names, sizes and meaning. Raise it with each
/// change that an older or newer `modlb` would misread.
pub const ABI: u32 = 7;

/// The version before, whose instances `modlb upgrade` takes over while they run. User space has the shapes of this one
/// version; whoever raises [`ABI`] replaces them.
pub const FORMER_ABI: u32 = 6;

/// "modlb" and a line feed: the first eight bytes of the map `INSTANCE` of every version.
pub const MAGIC: u64 = u64::from_le_bytes(*b"modlb\n\0\0");

/// The one value of the map `INSTANCE`, written last when an instance is made. `magic` and `abi` must never move.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Instance {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI`].
    pub abi: u32,
    /// The role: 0 balancer, 1 member, 2 steer. Fixed for the instance's lifetime.
    pub role: u32,
    /// The cookie of the instance's network namespace (`SO_NETNS_COOKIE`).
    pub netns_cookie: u64,
    /// Services that a half can hold.
    pub services: u32,
    /// Slots that a half can hold.
    pub slots: u32,
    /// Server entries that a half can hold.
    pub servers: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Instance>() == 40);
