//! What keeping connections shares with user space: its limits, and how what it needs lies in the map of slots.
//!
//! In role `keep`, a service has a ranking for its present list of servers and for each `previous` one: for each slot
//! the servers that may hold its flows, the best first, as counters relative to the service's first. An entry fills
//! [`ENTRY_WORDS`] words of the map. The present list is described by the service's cell, earlier ones by [`List`]s in
//! the same map, from [`crate::table::ServiceCell::directory`] on.
//!
//! In role `member`, a bit for each slot is enough: whether another member may hold its flows. The directory also has
//! the service's address, and begins with the present list.

/// The most servers that may hold a flow's connection.
pub const MAX_HOLDERS: usize = 12;

/// How many servers an entry has. The first is the owner; any of the others may be the one that is not yet among
/// [`MAX_HOLDERS`].
pub const DEPTH: usize = 12;

/// In an entry: no server, and none follows unless this is the owner.
pub const NONE: u16 = u16::MAX;

/// No frame is handed on more often.
pub const MAX_HAND_ONS: u32 = 18;

/// The highest TTL or hop limit of a frame that was handed on once. Each further time lowers it by one.
pub const FIRST_TTL: u8 = 32;

/// A frame with this TTL or a lower one is not handed on, whoever sent it. So hosts whose files contradict each other
/// cannot send a frame around for ever.
pub const LAST_TTL: u8 = FIRST_TTL + 1 - MAX_HAND_ONS as u8;

/// The TTL of a frame that is handed on. It never rises: a host may not know that a server sent the frame.
#[inline(always)]
pub const fn next_ttl(ttl: u8) -> u8 {
    if ttl > FIRST_TTL { FIRST_TTL } else { ttl - 1 }
}

/// The default limit of hand-ons per second on each CPU; above, packets pass at once.
pub const DEFAULT_MAX_HAND_ONS: u32 = 200_000;

/// The highest limit.
pub const HIGHEST_MAX_HAND_ONS: u32 = 15_000_000;

/// Hand-ons are counted in windows of 2^[`WINDOW_SHIFT`] ns, which is 1.07 seconds.
pub const WINDOW_SHIFT: u32 = 30;

/// A limit per second as one per window; the highest fits into 24 bits.
pub const fn per_window(max_hand_ons: u32) -> u32 {
    ((max_hand_ons as u64 * (1 << WINDOW_SHIFT)) / 1_000_000_000) as u32
}

const _: () = assert!(per_window(HIGHEST_MAX_HAND_ONS) < 1 << Directory::LIMIT_BITS);

/// In place of the offset of a SYN-ACK's sequence number: the kernel does not say where it is.
pub const UNKNOWN_ISN: u32 = u32::MAX;

/// Words of an entry.
pub const ENTRY_WORDS: usize = DEPTH / IN_WORD;

/// Servers in a word.
const IN_WORD: usize = 4;

/// Words of a directory before its lists in role `keep`: the [`Directory`], and the number of the service's counter of
/// packets that this host was the last to take.
pub const RANKED_WORDS: usize = 2;

/// Words of a group's directory before its lists: the [`Directory`], and [`crate::flow::Address::halves`] of the
/// service's address.
pub const GROUP_WORDS: usize = 3;

/// Words of a [`List`].
pub const LIST_WORDS: usize = 3;

const _: () = assert!(DEPTH.is_multiple_of(IN_WORD));

/// The words of an entry.
pub const fn pack(entry: [u16; DEPTH]) -> [u64; ENTRY_WORDS] {
    let mut words = [0; ENTRY_WORDS];
    let mut place = 0;
    while place < DEPTH {
        words[place / IN_WORD] |= (entry[place] as u64) << shift(place);
        place += 1;
    }
    words
}

/// The word of an entry that has its server number `place`.
#[inline(always)]
pub const fn word(place: usize) -> usize {
    place / IN_WORD
}

/// The server number `place` of an entry, by its word.
#[inline(always)]
pub const fn unpack(word: u64, place: usize) -> u16 {
    (word >> shift(place)) as u16
}

#[inline(always)]
const fn shift(place: usize) -> u32 {
    (place % IN_WORD * 16) as u32
}

/// How many words the bits of so many slots take.
pub const fn bit_words(slots: u32) -> usize {
    slots.div_ceil(u64::BITS) as usize
}

/// The word that has the bit of a slot.
#[inline(always)]
pub const fn bit_word(slot: u32) -> u32 {
    slot / u64::BITS
}

/// A slot's bit, by its word.
#[inline(always)]
pub const fn bit(word: u64, slot: u32) -> bool {
    word >> (slot % u64::BITS) & 1 != 0
}

/// What a list has for each of its slots: an entry of its ranking, or a bit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct List {
    /// T, the number of slots.
    pub slots: u32,
    /// The index of the first word in the map of slots, the half included.
    pub first: u32,
    /// [`crate::formula::powers`] of `slots`.
    pub powers: [u32; 3],
}

impl List {
    /// The words of a list.
    pub const fn pack(self) -> [u64; LIST_WORDS] {
        let [a, b, c] = self.powers;
        [join(self.slots, self.first), join(a, b), join(c, 0)]
    }

    /// The reverse.
    #[inline(always)]
    pub const fn unpack([head, powers, last]: [u64; LIST_WORDS]) -> Self {
        Self {
            slots: head as u32,
            first: (head >> 32) as u32,
            powers: [powers as u32, (powers >> 32) as u32, last as u32],
        }
    }
}

/// The first word of a directory, before its lists: how many they are, and in role `keep` the limit of hand-ons
/// and [`crate::ring::server`] of this host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Directory {
    /// How many lists follow.
    pub lists: u32,
    /// The limit of hand-ons per window on each CPU, for all services together.
    pub limit: u32,
    /// [`crate::ring::server`] of this host.
    pub own: u32,
}

impl Directory {
    const LIMIT_BITS: u32 = 24;

    /// Its word.
    pub const fn pack(self) -> u64 {
        join(self.lists << Self::LIMIT_BITS | self.limit, self.own)
    }

    /// The reverse.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        let lists = word as u32 >> Self::LIMIT_BITS;
        Self { lists, limit: word as u32 & ((1 << Self::LIMIT_BITS) - 1), own: (word >> 32) as u32 }
    }
}

const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// What a program needs while it looks for the next server, on each CPU. A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Relay {
    /// The window of time that `handed_on` is of.
    pub window: u64,
    /// How many packets were handed on in it.
    pub handed_on: u64,
    /// How many of `holders` are in use.
    pub count: u64,
    /// The servers that may hold the connection.
    pub holders: [u16; 16],
    /// Zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<Relay>() == 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let entry = core::array::from_fn(|place| 1_000 + place as u16);
        let words = pack(entry);
        assert!((0..DEPTH).all(|place| unpack(words[word(place)], place) == entry[place]));
        let list = List { slots: 65_521, first: u32::MAX, powers: [1, 2, u32::MAX] };
        assert_eq!(List::unpack(list.pack()), list);
        for limit in [0, 1, DEFAULT_MAX_HAND_ONS, HIGHEST_MAX_HAND_ONS].map(per_window) {
            let directory = Directory { lists: 8, limit, own: u32::MAX };
            assert_eq!(Directory::unpack(directory.pack()), directory);
        }
        let words = [1 << 63, 1];
        assert_eq!([63, 64, 65].map(|slot| bit(words[bit_word(slot) as usize], slot)), [true, true, false]);
        assert_eq!([0, 1, 64, 65].map(bit_words), [0, 1, 1, 2]);
    }
}
