//! The values that the datapath reads for each packet.

use crate::{formula::Formula, mac::Mac};

/// One service in the open-addressing table: one cache line. The datapath reads no field twice.
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
    /// The index of the service's first counter; slots' counters are relative to it.
    pub first_counter: u32,
    /// [`crate::formula::powers`] of `slots`.
    pub powers: [u32; 3],
    /// [`ServiceCell::FIVE_TUPLE`] and the like.
    pub flags: u32,
    /// The length of the prefix, of 128 bits (96 more than an IPv4 prefix has); only for kinds of prefixes.
    pub prefix: u32,
    /// With [`ServiceCell::PEERS`], and in role `keep`: the number of the service's set of peers, part of
    /// [`crate::key::Kind::Peer`] keys. With [`ServiceCell::EXIT`], this and the next two are an [`Exit`].
    pub peers: u32,
    /// With [`ServiceCell::PEERS`] or [`ServiceCell::SHARED`], and in role `keep`: the counter of the server that is
    /// this host, relative to `first_counter`, or [`ServiceCell::NOT_HERE`].
    pub here: u32,
    /// With [`ServiceCell::SHARED`], and in role `keep`: the index of the service's [`crate::keep::Directory`] in the
    /// map of slots, the half included; else 0.
    pub directory: u32,
}

const _: () = assert!(size_of::<ServiceCell>() == 64);

impl ServiceCell {
    /// The formula is that of the 5-tuple.
    pub const FIVE_TUPLE: u32 = 1;
    /// Matching packets pass: fragments to a service that does not take fragments. Such a cell has no slots.
    pub const PASS: u32 = 1 << 1;
    /// Each slot's counter is its number. This holds while every server is up and has weight 1. The datapath then finds
    /// the counter without waiting for the slot.
    pub const IN_ORDER: u32 = 1 << 2;
    /// The service has peers, whose frames are not balanced again. All of its slots are indirect, so that its packets
    /// leave the fast path by a check that all packets pass anyway.
    pub const PEERS: u32 = 1 << 3;

    /// Role `keep`: no other server may hold a flow's connection.
    pub const ALONE: u32 = 1 << 4;

    /// Role `member`: members may hold connections of flows that others own.
    pub const SHARED: u32 = 1 << 5;

    /// Role `balancer`, with several interfaces: all of the service's servers that take flows are behind one of them,
    /// see [`ServiceCell::exit`], and its slots are made by [`Slot::by_exit`].
    pub const EXIT: u32 = 1 << 6;

    /// No service, but a mark on the way to longer prefixes; see [`PrefixLengths`].
    pub const MARKER: u32 = 1 << 7;

    /// Role `keep`: the flags from this bit on are the id of the network namespace of the service's sockets, as a
    /// signed number: -1 is that of the interface. The datapath finds it here without a branch, which would be work for
    /// verifiers.
    const NETNS_BIT: u32 = 8;

    /// The largest id that fits; the next number is that of no namespace.
    pub const MAX_NETNS_ID: u32 = (1 << (u32::BITS - 1 - Self::NETNS_BIT)) - 2;

    /// The part of the flags that says where the sockets are.
    pub const fn netns_flags(netns: SocketsIn) -> u32 {
        let id = match netns {
            SocketsIn::InterfacesNetns => u32::MAX,
            SocketsIn::Netns(id) if id <= Self::MAX_NETNS_ID => id,
            SocketsIn::Netns(_) | SocketsIn::Nowhere => Self::MAX_NETNS_ID + 1,
        };
        id << Self::NETNS_BIT
    }

    /// The reverse, as the kernel's helpers take it.
    #[inline(always)]
    pub const fn netns(&self) -> u64 {
        (self.flags as i32 >> Self::NETNS_BIT) as u64
    }

    /// [`ServiceCell::here`]: no server of the service is this host.
    pub const NOT_HERE: u32 = u32::MAX;

    /// The same cell for a service whose servers are all behind one interface. It has no peers.
    #[must_use]
    pub const fn with_exit(self, exit: Exit) -> Self {
        let Exit { interface, source } = exit;
        let (flags, here, directory) = (self.flags | Self::EXIT, source as u32, (source >> u32::BITS) as u32);
        Self { flags, peers: interface, here, directory, ..self }
    }

    /// A marker; `best` is the number of the best prefix's cell plus 1, and its length plus 1; zeros: there is none.
    #[must_use]
    pub fn marker(best: (u32, u32)) -> Self {
        Self { flags: Self::MARKER, peers: best.0, here: best.1, ..Self::default() }
    }

    /// What a search for prefixes takes with it from this cell, which has the number `number`: the length plus 1 above
    /// the number plus 1 of the best prefix.
    #[inline(always)]
    pub const fn best_prefix(&self, number: u64) -> u64 {
        if self.flags & Self::MARKER != 0 {
            return (self.here as u64) << 32 | self.peers as u64;
        }
        (self.prefix as u64 + 1) << 32 | (number + 1)
    }

    /// The interface that all servers of the service are behind. `None`: each of its slots says how to reach the
    /// server.
    #[inline(always)]
    pub const fn exit(&self) -> Option<Exit> {
        if self.flags & (Self::EXIT | Self::PEERS) != Self::EXIT {
            return None;
        }
        Some(Exit { interface: self.peers, source: self.here as u64 | (self.directory as u64) << u32::BITS })
    }

    /// The formula that the flags name.
    #[inline(always)]
    pub const fn formula(&self) -> Formula {
        if self.flags & Self::FIVE_TUPLE != 0 { Formula::FiveTuple } else { Formula::ThreeTuple }
    }
}

/// The interface that leads to all servers of a service.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Exit {
    /// Its index.
    pub interface: u32,
    /// Its MAC, in the first six bytes; the last two are zero.
    pub source: u64,
}

/// Where a service's sockets are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SocketsIn {
    /// In the network namespace of the interface.
    InterfacesNetns,
    /// In that which it knows by this id.
    Netns(u32),
    /// In one that was not found.
    Nowhere,
}

/// One entry of a slot table: the server's MAC in the first six bytes, its counter in the last two.
///
/// No server has a group address, so one marks the slots that need more than a MAC: an [`Exit`] or, rarely, a
/// [`NextHop`]. The datapath tells them apart by one bit.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Slot(pub u64);

impl Slot {
    /// The slot of a server with this MAC. `counter` is relative to the service's first.
    pub const fn new(mac: Mac, counter: u16) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        let [x, y] = counter.to_ne_bytes();
        Self(u64::from_ne_bytes([a, b, c, d, e, f, x, y]))
    }

    /// The slot of a server that is described by a [`NextHop`].
    pub const fn indirect(counter: u16) -> Self {
        Self::new(Mac([1, 0, 0, 0, 0, 0]), counter)
    }

    /// The slot of a server with this MAC, of a service with an [`Exit`].
    pub const fn by_exit(mac: Mac, counter: u16) -> Self {
        Self(Self::new(mac, counter).0 | Self::INDIRECT)
    }

    /// The MAC of such a slot's server, in the first six bytes; the last two are any.
    #[inline(always)]
    pub const fn exit_mac(self) -> u64 {
        self.0 & !Self::INDIRECT
    }

    /// The group bit of the first byte.
    const INDIRECT: u64 = u64::from_ne_bytes([1, 0, 0, 0, 0, 0, 0, 0]);

    /// Whether the frame does not simply go back: an [`Exit`] or a [`NextHop`] says where it goes.
    #[inline(always)]
    pub const fn is_indirect(self) -> bool {
        self.0 & Self::INDIRECT != 0
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

/// How to reach a server that is not on the link that frames come from: it is this host, behind another interface, or
/// in another VLAN. Also any server of a service that has peers.
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
    /// Role `keep`: [`crate::ring::server`] of its address; else 0.
    pub ring: u32,
}

const _: () = assert!(size_of::<NextHop>() == 24);

impl NextHop {
    /// Whether the server is this host.
    #[inline(always)]
    pub const fn is_here(&self) -> bool {
        self.interface == Self::LOCAL
    }

    /// The server is this host.
    pub const LOCAL: u32 = 0;
    /// The interface that the frame came in by.
    pub const SAME_PORT: u32 = u32::MAX;
    /// The outer tag, if there is one, is removed.
    pub const UNTAGGED: u32 = 0;
    /// Tags stay as they are.
    pub const KEEP: u32 = u32::MAX;
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

/// What a server was sent on one CPU since its [`Counter`] was last added to: 22 bits of bytes above 10 bits of
/// packets.
///
/// A quarter of a counter's size, so four times as many fit into the caches, and counting a packet and its bytes is one
/// addition. What does not fit any more is carried to the counter: at the latest by the 512th packet, and before 2 MB.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PackedCounter(pub u32);

impl PackedCounter {
    /// The value while its content is being carried to the counter. It counts as nothing, and nothing fits into it: on
    /// PREEMPT_RT another program may interrupt the one that carries, and must not carry the mark.
    pub const CARRIED: Self = Self(1 << 31);

    const PACKETS_BITS: u32 = 10;

    /// The smallest number of packets that does not fit.
    const FULL_PACKETS: u64 = 1 << (Self::PACKETS_BITS - 1);

    /// The highest bit of packets, the highest bit of bytes, and all bits beyond.
    const FULL: u64 = Self::FULL_PACKETS | u64::MAX << (u32::BITS - 1);

    /// Adds a packet of `bytes` bytes, which may become several frames; `None`: that does not fit.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, frames: u64, bytes: u64) -> Option<Self> {
        // Both are below their highest bits, so packets do not overflow into bytes.
        let sum = self.0 as u64 + (bytes << Self::PACKETS_BITS) + frames;
        if frames < Self::FULL_PACKETS && sum & Self::FULL == 0 { Some(Self(sum as u32)) } else { None }
    }

    /// The same as a counter.
    #[inline(always)]
    pub const fn counter(self) -> Counter {
        let Self(sum) = self;
        // The highest bit of a value is clear, except for the mark.
        let bytes = (sum & !Self::CARRIED.0) >> Self::PACKETS_BITS;
        Counter { packets: (sum & ((1 << Self::PACKETS_BITS) - 1)) as u64, bytes: bytes as u64 }
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
    fn network_namespaces_are_numbers_of_the_kernel() {
        let netns = |netns| ServiceCell { flags: ServiceCell::netns_flags(netns) | 0xff, ..Default::default() }.netns();
        // `BPF_F_CURRENT_NETNS`.
        assert_eq!(netns(SocketsIn::InterfacesNetns), u64::MAX);
        for id in [0, 1, ServiceCell::MAX_NETNS_ID] {
            assert_eq!(netns(SocketsIn::Netns(id)), u64::from(id));
        }
        let none = u64::from(ServiceCell::MAX_NETNS_ID + 1);
        assert_eq!(netns(SocketsIn::Nowhere), none);
        assert_eq!(netns(SocketsIn::Netns(u32::MAX)), none);
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

    /// A program that interrupts another one while it carries neither adds to the mark nor carries it.
    #[test]
    fn the_mark_counts_as_nothing() {
        assert_eq!(PackedCounter::CARRIED.counter(), Counter::default());
        for (frames, bytes) in [(0, 0), (1, 66), (511, 0), (1, (1 << 21) - 1)] {
            assert_eq!(PackedCounter::CARRIED.plus(frames, bytes), None);
        }
    }

    #[test]
    fn a_slot_holds_mac_and_counter() {
        let mac = Mac([2, 3, 4, 5, 6, 7]);
        let slot = Slot::new(mac, 0xabcd);
        assert_eq!((slot.mac(), slot.counter(), slot.is_indirect()), (mac, 0xabcd, false));
        let slot = Slot::indirect(65_535);
        assert_eq!((slot.counter(), slot.is_indirect()), (65_535, true));
    }

    #[test]
    fn a_cell_and_a_slot_hold_the_way_out() {
        let mac = Mac([2, 3, 4, 5, 6, 7]);
        let slot = Slot::by_exit(mac, 0xabcd);
        assert_eq!((slot.counter(), slot.is_indirect()), (0xabcd, true));
        assert_eq!(Slot(slot.exit_mac()).mac(), mac);

        let exit = Exit { interface: 7, source: Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xfe]).wide() };
        let cell = ServiceCell { flags: ServiceCell::IN_ORDER, ..ServiceCell::default() };
        assert_eq!((cell.exit(), cell.with_exit(exit).exit()), (None, Some(exit)));
        assert_eq!(cell.with_exit(exit).flags & ServiceCell::IN_ORDER, ServiceCell::IN_ORDER);
        let with_peers = ServiceCell { flags: ServiceCell::PEERS, ..cell };
        assert_eq!(with_peers.with_exit(exit).exit(), None);
    }
}
