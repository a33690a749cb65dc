//! What the traced programs report, and the filter that selects the packets.
//!
//! An event is a [`TraceEvent`] followed by the first bytes of the frame as it came, then those of the frame as it
//! left.

/// The most bytes of a frame in an event.
pub const MAX_SNAP: u32 = 2_048;

/// Enough bytes for the headers of nearly every packet.
pub const HEADERS: u32 = 128;

/// The head of an event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TraceEvent {
    /// When the program started, in nanoseconds of `CLOCK_MONOTONIC`.
    pub time: u64,
    /// The control word that was read for the packet.
    pub control: u64,
    /// [`crate::flow::Address::halves`] of the oriented tuple's source.
    pub source: [u64; 2],
    /// The same of its destination.
    pub destination: [u64; 2],
    /// The index of the interface.
    pub interface: u32,
    /// The length of the frame, in bytes.
    pub length: u32,
    /// How many frames it becomes on the wire.
    pub frames: u32,
    /// The tag of the service's cell; 0: none was found.
    pub tag: u32,
    /// The length of the cell's prefix.
    pub prefix: u32,
    /// T; 0: no slot was looked up.
    pub slots: u32,
    /// The number of the slot, `sum % T`.
    pub slot: u32,
    /// The number of the server's counter, or [`TraceEvent::NO_SERVER`].
    pub counter: u32,
    /// [`crate::outcome::Outcome::index`].
    pub outcome: u32,
    /// What the program returned.
    pub action: u32,
    /// The interface that the server is behind; 0: the one that the frame came in by.
    pub egress: u32,
    /// How many bytes of the frame as it came follow.
    pub before: u32,
    /// How many bytes of the frame as it left follow; 0: it is the same.
    pub after: u32,
    /// The length of the frame as it left.
    pub after_length: u32,
    /// The client's port.
    pub source_port: u16,
    /// The service's port.
    pub destination_port: u16,
    /// The IP protocol.
    pub protocol: u8,
    /// 4 or 6; 0: no tuple was found.
    pub family: u8,
    /// [`TraceEvent::FRAGMENT`], [`TraceEvent::FIVE_TUPLE`].
    pub flags: u8,
    /// Zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<TraceEvent>() == 112);

impl TraceEvent {
    /// [`TraceEvent::counter`] of a packet for which no server was chosen.
    pub const NO_SERVER: u32 = u32::MAX;
    /// The packet is a fragment.
    pub const FRAGMENT: u8 = 1;
    /// The service's formula is that of the 5-tuple.
    pub const FIVE_TUPLE: u8 = 1 << 1;
}

/// Matches the addresses of a prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Net {
    /// The prefix's bits.
    pub address: [u64; 2],
    /// Which bits count.
    pub mask: [u64; 2],
    /// 4 or 6; 0: matches any address, and packets without one.
    pub family: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Net>() == 40);

impl Net {
    /// Whether the prefix contains this address.
    #[inline(always)]
    pub const fn has(&self, halves: [u64; 2]) -> bool {
        halves[0] & self.mask[0] == self.address[0] && halves[1] & self.mask[1] == self.address[1]
    }
}

/// Which packets are reported: those that match every field. The programs have it as a constant.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Filter {
    /// Matches the source or the destination.
    pub either: Net,
    /// Matches the client.
    pub source: Net,
    /// Matches the service.
    pub destination: Net,
    /// The outcomes, one bit for each.
    pub outcomes: u32,
    /// The source's or the destination's port; 0: any.
    pub port: u32,
    /// The IP protocol; [`Filter::ANY_PROTOCOL`].
    pub protocol: u32,
    /// Sampling: report one in `sample` packets; at least 1.
    pub sample: u32,
    /// How many bytes of each frame to copy, at most [`MAX_SNAP`].
    pub snap: u32,
    /// 1: copy the frame as it left as well.
    pub after: u32,
}

const _: () = assert!(size_of::<Filter>() == 144);

impl Filter {
    /// Matches any protocol, and packets without one.
    pub const ANY_PROTOCOL: u32 = 256;

    /// Every packet.
    pub const ALL: Self = Self {
        either: Net { address: [0; 2], mask: [0; 2], family: 0, reserved: 0 },
        source: Net { address: [0; 2], mask: [0; 2], family: 0, reserved: 0 },
        destination: Net { address: [0; 2], mask: [0; 2], family: 0, reserved: 0 },
        outcomes: u32::MAX,
        port: 0,
        protocol: Self::ANY_PROTOCOL,
        sample: 1,
        snap: HEADERS,
        after: 0,
    };

    /// Whether the tuple matches.
    #[inline(always)]
    pub const fn takes(&self, event: &TraceEvent) -> bool {
        self.takes_family(event)
            && (self.either.family == 0 || self.either.has(event.source) || self.either.has(event.destination))
            && (self.source.family == 0 || self.source.has(event.source))
            && (self.destination.family == 0 || self.destination.has(event.destination))
            && (self.port == 0 || self.port == event.source_port as u32 || self.port == event.destination_port as u32)
            && (self.protocol == Self::ANY_PROTOCOL || (event.family != 0 && self.protocol == event.protocol as u32))
    }

    #[inline(always)]
    const fn takes_family(&self, event: &TraceEvent) -> bool {
        let family = event.family as u32;
        (self.either.family == 0 || self.either.family == family)
            && (self.source.family == 0 || self.source.family == family)
            && (self.destination.family == 0 || self.destination.family == family)
    }
}

/// What the programs counted on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TraceCounters {
    /// Packets that a traced program handled.
    pub seen: u64,
    /// Packets that matched the filter.
    pub fit: u64,
    /// Packets that were not reported because there was no room.
    pub lost: u64,
}

const _: () = assert!(size_of::<TraceCounters>() == 24);
