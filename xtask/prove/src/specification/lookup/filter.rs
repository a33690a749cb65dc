//! The filters of prefixes: half A's for IPv4, then for IPv6, then half B's.

use crate::{
    specification::{
        lookup::hash::{GOLDEN, Halves, of_address},
        world::{Ruled, World},
    },
    term::{Op, Term},
};

const TABLE: &str = "FILTERS";
const SIZE: u64 = 64 + 8_192;
/// Where fields are: the bits that all prefixes have in common, which bits those are, how many bits are skipped, a bit
/// for each of this host's addresses, a bit for each value of the 16 bits behind.
const COMMON: u64 = 0;
const MASK: u64 = 8;
const SKIP: u64 = 16;
const OWN: u64 = 24;
const BLOCKS: u64 = 64;

/// Where a table's entry of a half and a family starts; there are two families in a half.
pub fn of_half(world: &mut World<'_>, control: Term, six: bool, size: u64) -> Term {
    let half = world.bits(control, 0, 1);
    let index = world.times(half, 2);
    let entry = world.constant(size);
    let first = world.product(index, entry);
    world.plus(first, u64::from(six) * size)
}

/// Whether some prefix may have the address: it starts as all do, and the 16 bits behind are those of one.
pub fn may_match(world: &mut World<'_>, [high, low]: Halves, six: bool, control: Term) -> Ruled<bool> {
    let filter = of_half(world, control, six, SIZE);
    let zero = world.constant(0);
    let start = if six { high } else { world.above(low, zero, 32) };
    let (common, mask) = (word(world, filter, COMMON)?, word(world, filter, MASK)?);
    let other = world.bitwise(Op::Xor, start, common);
    let other = world.bitwise(Op::And, other, mask);
    if !world.is(other, 0)? {
        return Ok(false);
    }
    let skip = word(world, filter, SKIP)?;
    let behind = world.shifted(Op::Shl, start, skip);
    let block = world.bits(behind, 48, 16);
    let (index, bit) = (world.bits(block, 6, 10), world.bits(block, 0, 6));
    let place = world.times(index, 8);
    let place = world.add(filter, place);
    let bits = word(world, place, BLOCKS)?;
    world.has_bit_at(bits, bit)
}

/// Whether the address may be one of this host's.
pub fn may_be_own(world: &mut World<'_>, halves: Halves, six: bool, control: Term) -> Ruled<bool> {
    let filter = of_half(world, control, six, SIZE);
    let own = word(world, filter, OWN)?;
    let hash = of_address(world, halves);
    let golden = world.constant(GOLDEN);
    let hash = world.product(hash, golden);
    let bit = world.bits(hash, 58, 6);
    world.has_bit_at(own, bit)
}

fn word(world: &mut World<'_>, filter: Term, offset: u64) -> Ruled<Term> {
    let place = world.plus(filter, offset);
    world.table(TABLE, place, 8)
}
