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
/// A group address can be no server's, so it marks the rare slots that need more than a MAC (see [`Remote`]); the datapath
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

    /// The slot of a server about which [`Remote`] says more.
    pub const fn indirect(counter: u16) -> Self {
        Self::new(Mac([1, 0, 0, 0, 0, 0]), counter)
    }

    /// Whether [`Remote`] says where the server is.
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
pub struct Remote {
    /// The index of the interface to send by, [`Remote::BACK`] or [`Remote::HERE`].
    pub interface: u32,
    /// The VLAN of the frame's outer tag, 1 to 4094; [`Remote::UNTAGGED`], [`Remote::KEEP`].
    pub vlan: u32,
    /// The server's MAC.
    pub destination: [u8; 6],
    /// The MAC of that interface; unused with [`Remote::BACK`].
    pub source: [u8; 6],
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Remote>() == 24);

impl Remote {
    /// The server is this host.
    pub const HERE: u32 = 0;
    /// Sent back by the interface that the frame came in by.
    pub const BACK: u32 = u32::MAX;
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

/// What a server was sent on one CPU since its [`Counter`] was last added to: packets in the upper 24 bits, bytes in the lower 40.
///
/// Half as long as a counter, so twice as many lie in the caches, and packet and bytes are one addition. A full one is carried to
/// the counter long before bytes could run into packets: it takes 2^23 packets, of 2^17 bytes each on the way.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally(pub u64);

impl Tally {
    const BYTES_BITS: u32 = 40;

    /// With one more packet, which may become several frames, of so many bytes in all.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, frames: u64, bytes: u64) -> Self {
        Self(self.0 + (frames << Self::BYTES_BITS) + bytes)
    }

    /// Whether it is to be carried to its counter; until that is done it stays as it is.
    #[inline(always)]
    pub const fn is_full(self) -> bool {
        (self.0 as i64) < 0
    }

    /// The same as a counter has it.
    #[inline(always)]
    pub const fn counter(self) -> Counter {
        Counter { packets: self.0 >> Self::BYTES_BITS, bytes: self.0 & ((1 << Self::BYTES_BITS) - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_full_before_bytes_run_over() {
        let longest = 0xffff + 18;
        let mut tally = Tally::default();
        let mut wanted = Counter::default();
        while !tally.is_full() {
            tally = tally.plus(1, longest);
            wanted += Counter { packets: 1, bytes: longest };
        }
        assert_eq!(wanted.packets, 1 << 23);
        assert_eq!(tally.counter(), wanted);
        // The most frames that one packet becomes, on top of a tally that is nearly full.
        let last = Tally((1 << 63) - 1).plus(0xffff, 0xffff * longest);
        assert!(last.is_full());
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
