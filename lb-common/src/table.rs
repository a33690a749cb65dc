//! The values that the datapath reads for each packet.

use crate::{formula::Formula, mac::Mac};

/// One service in the open-addressing table: a cache line, of which the datapath reads nothing twice.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServiceCell {
    /// [`crate::flow::Address::halves`] of the service's address.
    pub address: [u64; 2],
    /// [`crate::key::tag`]; 0: the cell is empty, and a search ends here.
    pub tag: u32,
    /// T, the number of slots; 0: no server is up, or [`ServiceCell::PASS`].
    pub slots: u32,
    /// The index of the service's first slot in the map of slots, the half included.
    pub first_slot: u32,
    /// The index of the first counter of the service's window; a slot's server is relative to it.
    pub first_counter: u32,
    /// [`crate::formula::powers`] of `slots`.
    pub powers: [u32; 3],
    /// [`ServiceCell::FIVE_TUPLE`], [`ServiceCell::PASS`].
    pub flags: u32,
    /// The length of the prefix, of 128 bits (an IPv4 prefix has 96 more); only with kinds of prefixes.
    pub prefix: u32,
    /// Keeps the cell at a cache line; zero.
    pub reserved: [u32; 3],
}

const _: () = assert!(size_of::<ServiceCell>() == 64);

impl ServiceCell {
    /// The service adds up the 5-tuple.
    pub const FIVE_TUPLE: u32 = 1;
    /// Matching packets pass: fragments for a service that does not take them. Such a cell has no slots.
    pub const PASS: u32 = 1 << 1;
    /// Each slot's counter is its number: so it is when every server is up and has weight 1, unless the list was changed. Then the
    /// datapath need not wait for the slot in order to find the counter.
    pub const IN_ORDER: u32 = 1 << 2;

    /// The formula that the flags name.
    #[inline(always)]
    pub const fn formula(&self) -> Formula {
        if self.flags & Self::FIVE_TUPLE != 0 { Formula::FiveTuple } else { Formula::ThreeTuple }
    }
}

/// One entry of a slot table: the server's MAC in the first six bytes, its counter in the last two.
///
/// A group address can be no server's, so it marks the rare slots that need more than a MAC (see [`NextHop`]); the datapath
/// tells them apart by one bit.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Slot(pub u64);

impl Slot {
    /// The slot of a server with this MAC. `counter` is relative to the service's first.
    pub const fn new(mac: Mac, counter: u16) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        let [x, y] = counter.to_ne_bytes();
        Self(u64::from_ne_bytes([a, b, c, d, e, f, x, y]))
    }

    /// The slot of a server about which [`NextHop`] says more.
    pub const fn indirect(counter: u16) -> Self {
        Self::new(Mac([1, 0, 0, 0, 0, 0]), counter)
    }

    /// Whether [`NextHop`] says where the server is.
    #[inline(always)]
    pub const fn is_indirect(self) -> bool {
        self.0.to_ne_bytes()[0] & 1 != 0
    }

    /// The server's MAC.
    #[inline(always)]
    pub const fn mac(self) -> Mac {
        let [a, b, c, d, e, f, _, _] = self.0.to_ne_bytes();
        Mac([a, b, c, d, e, f])
    }

    /// The server's counter, relative to the service's first.
    #[inline(always)]
    pub const fn counter(self) -> u16 {
        let [.., x, y] = self.0.to_ne_bytes();
        u16::from_ne_bytes([x, y])
    }
}

/// Where a server is that cannot be reached by sending the frame back as it came: on this host, behind one interface of
/// several, or in a VLAN of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NextHop {
    /// The index of the interface to send by, [`NextHop::SAME_PORT`] or [`NextHop::LOCAL`].
    pub interface: u32,
    /// The VLAN of the frame's outer tag, 1 to 4094; [`NextHop::UNTAGGED`], [`NextHop::KEEP`].
    pub vlan: u32,
    /// The server's MAC.
    pub destination: [u8; 6],
    /// The MAC of that interface; unused with [`NextHop::SAME_PORT`].
    pub source: [u8; 6],
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<NextHop>() == 24);

impl NextHop {
    /// The server is this host.
    pub const LOCAL: u32 = 0;
    /// Sent back by the interface that the frame came in by.
    pub const SAME_PORT: u32 = u32::MAX;
    /// The outer tag, if there is one, is taken off.
    pub const UNTAGGED: u32 = 0;
    /// Tags stay as they came.
    pub const KEEP: u32 = u32::MAX;
}

/// The lengths of all prefixes of one family in one half, so that a search need not try every length that there is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefixLengths {
    /// How many there are.
    pub count: u32,
    /// Of 128 bits, the longest first.
    pub lengths: [u8; Self::MOST],
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<PrefixLengths>() == 136);

impl PrefixLengths {
    /// As many lengths as an IPv6 prefix can have.
    pub const MOST: usize = 128;
}

impl Default for PrefixLengths {
    fn default() -> Self {
        Self { count: 0, lengths: [0; Self::MOST], reserved: 0 }
    }
}

/// Packets and bytes, on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counter {
    /// Frames.
    pub packets: u64,
    /// Bytes of the frames as XDP sees them.
    pub bytes: u64,
}

const _: () = assert!(size_of::<Counter>() == 16);

impl core::ops::AddAssign for Counter {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What a server was sent on one CPU since its [`Counter`] was last added to: bytes in the upper 22 bits, packets in the lower 10.
///
/// A quarter as long as a counter, so four times as many lie in the caches, and packet and bytes are one addition. What no longer
/// fits is carried to the counter: at the latest each 512th packet, and before 2 MB.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PackedCounter(pub u32);

impl PackedCounter {
    /// What stands there while the counter is added to.
    pub const CARRIED: Self = Self(u32::MAX);

    const PACKETS_BITS: u32 = 10;

    /// So many packets do not fit.
    const FULL_PACKETS: u64 = 1 << (Self::PACKETS_BITS - 1);

    /// The highest bit of the packets, that of the bytes, and all beyond.
    const FULL: u64 = Self::FULL_PACKETS | u64::MAX << (u32::BITS - 1);

    /// With one more packet, which may become several frames, of so many bytes in all; `None`: that does not fit.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, frames: u64, bytes: u64) -> Option<Self> {
        // Both are below their highest bits, so packets do not run into bytes.
        let sum = self.0 as u64 + (bytes << Self::PACKETS_BITS) + frames;
        if frames < Self::FULL_PACKETS && sum & Self::FULL == 0 { Some(Self(sum as u32)) } else { None }
    }

    /// The same as a counter has it.
    #[inline(always)]
    pub const fn counter(self) -> Counter {
        let Self(sum) = self;
        Counter { packets: (sum & ((1 << Self::PACKETS_BITS) - 1)) as u64, bytes: (sum >> Self::PACKETS_BITS) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts into a packed counter as the datapath does; returns what came before the first that did not fit.
    fn fill(frames: u64, bytes: u64) -> Counter {
        let (mut packed, mut wanted) = (PackedCounter::default(), Counter::default());
        while let Some(sum) = packed.plus(frames, bytes) {
            wanted += Counter { packets: frames, bytes };
            packed = sum;
            assert_eq!(packed.counter(), wanted);
            assert_ne!(packed, PackedCounter::CARRIED);
        }
        wanted
    }

    #[test]
    fn a_packed_counter_is_full_before_packets_or_bytes_run_over() {
        assert_eq!(fill(1, 66), Counter { packets: 511, bytes: 511 * 66 });
        assert_eq!(fill(1, 4_096), Counter { packets: 511, bytes: 511 * 4_096 });
        // The highest sum of bytes that fits.
        assert_eq!(fill(1, (1 << 21) - 1), Counter { packets: 1, bytes: (1 << 21) - 1 });
        let longest = 0xffff + 18;
        assert_eq!(fill(1, longest), Counter { packets: 31, bytes: 31 * longest });
        assert_eq!(fill(511, 0), Counter { packets: 511, bytes: 0 });
        assert_eq!(fill(512, 0), Counter::default());
        // Both of which add up to numbers with the highest bits clear.
        assert_eq!(fill(1 << 10, 0), Counter::default());
        assert_eq!(fill(1, 1 << 22), Counter::default());
        assert_eq!(fill(0xffff, u64::from(u32::MAX)), Counter::default());
    }

    #[test]
    fn a_slot_holds_mac_and_counter() {
        let mac = Mac([2, 3, 4, 5, 6, 7]);
        let slot = Slot::new(mac, 0xabcd);
        assert_eq!((slot.mac(), slot.counter(), slot.is_indirect()), (mac, 0xabcd, false));
        let slot = Slot::indirect(65_535);
        assert_eq!((slot.counter(), slot.is_indirect()), (65_535, true));
    }
}
