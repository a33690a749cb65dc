//! What the traced programs tell of a packet, and what they are told to tell of.
//!
//! An event is a head and, right behind it, the first bytes of the frame as it came, then those of the frame as it left.

/// The most bytes of a frame that an event has.
pub const MAX_SNAP: u32 = 2_048;

/// Enough for the headers that a packet nearly always has.
pub const HEADERS: u32 = 128;

/// The head of an event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TraceEvent {
    /// When the program began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub time: u64,
    /// The control word that the packet went by.
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
    /// The tag of the service's cell; 0: no service was found.
    pub tag: u32,
    /// The length of the cell's prefix.
    pub prefix: u32,
    /// T; 0: no slot was looked for.
    pub slots: u32,
    /// The number of the slot, `sum % T`.
    pub slot: u32,
    /// The number of the server's counter; [`TraceEvent::NO_SERVER`].
    pub counter: u32,
    /// [`crate::outcome::Outcome::index`].
    pub outcome: u32,
    /// What the program returned.
    pub action: u32,
    /// The interface that the server is behind; 0: where the frame came from.
    pub egress: u32,
    /// Bytes of the frame as it came.
    pub before: u32,
    /// Bytes of the frame as it left; 0: it is the same.
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
    /// The packet is a piece of a larger one.
    pub const FRAGMENT: u8 = 1;
    /// The service adds up the 5-tuple.
    pub const FIVE_TUPLE: u8 = 1 << 1;
}

/// Addresses that a packet must have: those of a prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Net {
    /// The prefix's bits.
    pub address: [u64; 2],
    /// Which bits count.
    pub mask: [u64; 2],
    /// 4 or 6; 0: any address will do, and packets that have none.
    pub family: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Net>() == 40);

impl Net {
    /// Whether it is one of these addresses.
    #[inline(always)]
    pub const fn has(&self, halves: [u64; 2]) -> bool {
        halves[0] & self.mask[0] == self.address[0] && halves[1] & self.mask[1] == self.address[1]
    }
}

/// Of which packets the programs tell: those that fit all of it. A constant of theirs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Filter {
    /// Of the source or the destination.
    pub either: Net,
    /// Of the client.
    pub source: Net,
    /// Of the service.
    pub destination: Net,
    /// The outcomes, a bit for each.
    pub outcomes: u32,
    /// The source's or the destination's port; 0: any.
    pub port: u32,
    /// The IP protocol; [`Filter::ANY_PROTOCOL`].
    pub protocol: u32,
    /// One of so many is told of; at least 1.
    pub sample: u32,
    /// How many bytes of each frame, at most [`MAX_SNAP`].
    pub snap: u32,
    /// 1: also of the frame as it left.
    pub after: u32,
}

const _: () = assert!(size_of::<Filter>() == 144);

impl Filter {
    /// Any protocol will do, and packets that have none.
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

    /// Whether the tuple fits.
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
    /// Packets that went through a traced program.
    pub seen: u64,
    /// Those that fit the filter.
    pub fit: u64,
    /// Those that were to be told of, but for which there was no room.
    pub lost: u64,
}

const _: () = assert!(size_of::<TraceCounters>() == 24);
