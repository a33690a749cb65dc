//! Where the search for a key starts: multiply-shift with a seed. What products are is not known here, so they are
//! written with the factors that the design names.

use crate::{
    specification::world::{Ruled, World},
    term::{Op, Term},
};

/// 2^64 divided by the golden ratio.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
/// What spreads a seed all over the factor.
const SPREAD: u64 = 0x0002_0002_0002_0002;
const SEED: (u32, u32) = (8, 16);

/// An address of 128 bits in two halves, the upper one first; an IPv4 address has 32 of them.
pub type Halves = [Term; 2];

/// The address's part of the hash.
pub fn of_address(world: &mut World<'_>, [high, low]: Halves) -> Term {
    let golden = world.constant(GOLDEN);
    let mixed = world.product(high, golden);
    let upper = world.bits(mixed, 32, 32);
    let mixed = world.bitwise(Op::Xor, mixed, upper);
    world.bitwise(Op::Xor, mixed, low)
}

/// The same of a prefix: its length is mixed in, so that prefixes of the same bits differ.
pub fn of_prefix(world: &mut World<'_>, halves: Halves, length: Term) -> Term {
    let address = of_address(world, halves);
    let golden = world.constant(GOLDEN);
    let length = world.product(length, golden);
    let length = world.plus(length, GOLDEN);
    world.bitwise(Op::Xor, address, length)
}

/// The number of a half's first cell for a key, counted within the half: the first bits of the key's hash.
pub fn home(world: &mut World<'_>, address_hash: Term, tag: Term, control: Term) -> Ruled<Term> {
    let seed = world.bits(control, SEED.0, SEED.1);
    let (spread, factor) = (world.constant(SPREAD), world.constant(FACTOR));
    let spread = world.product(seed, spread);
    let factor = world.bitwise(Op::Xor, spread, factor);
    let zero = world.constant(0);
    let tag = world.above(tag, zero, 32);
    let key = world.bitwise(Op::Xor, address_hash, tag);
    let hash = world.product(factor, key);
    let shift = world.filled_in("CELL_SHIFT")?;
    Ok(world.shifted(Op::Shr, hash, shift))
}

/// The first `length` bits of 128.
pub fn mask(world: &mut World<'_>, [high, low]: Halves, length: Term) -> Ruled<Halves> {
    let (zero, half) = (world.constant(0), world.constant(HALF));
    if world.is_at_least(length, half)? {
        let behind = world.minus(length, half);
        return Ok([high, first_bits(world, low, behind)?]);
    }
    Ok([first_bits(world, high, length)?, zero])
}

const HALF: u64 = 64;

/// The first bits of 64, all of them if there are no more.
fn first_bits(world: &mut World<'_>, half: Term, count: Term) -> Ruled<Term> {
    let all = world.constant(HALF);
    if world.is_at_least(count, all)? {
        return Ok(half);
    }
    if world.is(count, 0)? {
        return Ok(world.constant(0));
    }
    let ones = world.constant(u64::MAX);
    let others = world.shifted(Op::Shr, ones, count);
    let first = world.bitwise(Op::Xor, others, ones);
    Ok(world.bitwise(Op::And, half, first))
}
