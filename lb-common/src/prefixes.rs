//! What the datapath reads to find the longest prefix: which lengths are in use, and a filter.

use crate::key::{self, Kind};

/// The lengths of all prefixes of one family in one half, so that a search tries only lengths that are in use.
///
/// Usually it halves them with each try (Waldvogel et al., 1997): where there is a cell, longer prefixes are tried,
/// else shorter ones. For that, markers stand on the way to longer prefixes. Each says which prefix is the best one if
/// no longer one is found, so nothing is tried twice.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefixLengths {
    /// How many there are.
    pub count: u32,
    /// Of 128 bits, the longest first.
    pub lengths: [u8; Self::MOST],
    /// [`PrefixLengths::MARKED`], a bit for each [`Kind`] of prefix that is in use, and [`PrefixLengths::first_step`].
    pub flags: u32,
}

const _: () = assert!(size_of::<PrefixLengths>() == 136);

impl PrefixLengths {
    /// The number of lengths that an IPv6 prefix can have.
    pub const MOST: usize = 128;

    /// The most tries of a search that halves.
    pub const TRIES: u32 = Self::MOST.ilog2() + 1;

    /// The highest eight bits of the flags are the first step.
    const STEP_SHIFT: u32 = 24;

    /// There are markers. Otherwise every length is tried, the longest first.
    pub const MARKED: u32 = 1;

    /// The flag of a kind.
    #[inline(always)]
    pub const fn flag(kind: Kind) -> u32 {
        1 << kind as u32
    }

    /// The flags with the first step of a search among this many lengths.
    #[must_use]
    pub const fn with_first_step(flags: u32, lengths: u32) -> u32 {
        let step = if lengths == 0 { 0 } else { 1 << lengths.ilog2() };
        flags | step << Self::STEP_SHIFT
    }

    /// How far the first try is from one before the longest; each further step is half as long.
    #[inline(always)]
    pub const fn first_step(&self) -> u32 {
        self.flags >> Self::STEP_SHIFT
    }
}

/// Tells most packets that belong to no prefix from others by one bit.
///
/// It looks at 16 bits of the address behind those that all prefixes of the family have in common. What it lets through
/// may still belong to none.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefixFilter {
    /// Addresses of prefixes have these bits where `mask` has.
    pub common: u64,
    /// The bits that all have in common.
    pub mask: u64,
    /// How many those are.
    pub skip: u64,
    /// A bit for [`PrefixFilter::own_bit`] of each address of [`Kind::Own`].
    pub own: u64,
    /// Zero.
    pub reserved: [u64; 4],
    /// A bit for each value of the 16 bits that some prefix has.
    pub blocks: [u64; Self::WORDS],
}

const _: () = assert!(size_of::<PrefixFilter>() == 64 + 8_192);

impl PrefixFilter {
    /// How many bits are looked at.
    pub const BITS: u32 = 16;

    const WORDS: usize = 1 << (Self::BITS - 6);

    /// The most bits that are skipped.
    pub const MOST_SKIPPED: u32 = u64::BITS - Self::BITS;

    /// The first 64 bits of an address.
    #[inline(always)]
    pub const fn start([high, low]: [u64; 2], six: bool) -> u64 {
        if six { high } else { low << 32 }
    }

    /// The 16 bits of an address of which `skip` bits are skipped.
    #[inline(always)]
    pub const fn block(start: u64, skip: u64) -> usize {
        (start << (skip & 63) >> Self::MOST_SKIPPED) as usize
    }

    /// `false`: an address that starts so belongs to no prefix.
    #[inline(always)]
    pub fn may_match(&self, start: u64) -> bool {
        let block = Self::block(start, self.skip);
        (start ^ self.common) & self.mask == 0 && self.blocks[block / 64] >> (block % 64) & 1 != 0
    }

    /// `false`: the address is none that prefixes leave alone because of this host.
    #[inline(always)]
    pub const fn may_be_own(&self, halves: [u64; 2]) -> bool {
        self.own & Self::own_bit(halves) != 0
    }

    /// One of 64 bits.
    #[inline(always)]
    pub const fn own_bit(halves: [u64; 2]) -> u64 {
        1 << (key::hash_halves(halves).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }
}

impl Default for PrefixFilter {
    fn default() -> Self {
        Self { common: 0, mask: 0, skip: 0, own: 0, reserved: [0; 4], blocks: [0; Self::WORDS] }
    }
}

impl Default for PrefixLengths {
    fn default() -> Self {
        Self { count: 0, lengths: [0; Self::MOST], flags: 0 }
    }
}
