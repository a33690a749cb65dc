//! The table of services: two halves, each of a power of two of cells.

use std::ops::Range;

use crate::{
    assumptions::CELL_SHIFTS,
    domain::Domain as _,
    specification::{
        lookup::hash::Halves,
        world::{Ruled, World},
    },
    symbolic::Symbolic,
    term::{Op, Term},
};

const TABLE: &str = "CELLS";
const SIZE: u64 = 64;
/// Where fields are: the address's halves, the tag, the flags, the prefix's length; a marker's best cell, and that
/// one's length.
const ADDRESS: [u64; 2] = [0, 8];
const TAG: u64 = 16;
const FLAGS: u64 = 44;
const PREFIX: u64 = 48;
const BEST_NUMBER: u64 = 52;
const BEST_LENGTH: u64 = 56;
/// The bit of the flags that tells markers from services.
const MARKER: u32 = 7;

/// What is assumed of the numbers that user space fills in: there are 2^64 >> CELL_SHIFT cells in a half.
pub fn sizes(domain: &mut Symbolic) -> Option<[Term; 3]> {
    let (cells, shift) = (domain.number("CELLS")?, domain.number("CELL_SHIFT")?);
    let Range { start, end } = CELL_SHIFTS;
    let [one, width, least, most] = [1, 64, start, end].map(|number| domain.constant(number));
    let bits = domain.terms.subtract(width, shift);
    let power = domain.terms.shift(Op::Shl, one, bits);
    let too_small = domain.terms.less(shift, least);
    Some([domain.terms.equal(cells, power), domain.terms.not(too_small), domain.terms.less(shift, most)])
}

/// A field of a cell that has this number, counted over both halves.
fn field(world: &mut World<'_>, number: Term, offset: u64, size: u64) -> Ruled<Term> {
    let cell = world.times(number, SIZE);
    let address = world.plus(cell, offset);
    world.table(TABLE, address, size)
}

/// Whether it holds this key; the length of a prefix counts if it is given.
pub fn holds(world: &mut World<'_>, number: Term, tag: Term, length: Option<Term>, address: Halves) -> Ruled<bool> {
    let own_tag = field(world, number, TAG, 4)?;
    let mut equal = vec![world.domain.terms.equal(own_tag, tag)];
    if let Some(length) = length {
        let own_length = field(world, number, PREFIX, 4)?;
        equal.push(world.domain.terms.equal(own_length, length));
    }
    for (offset, half) in ADDRESS.into_iter().zip(address) {
        let own = field(world, number, offset, 8)?;
        equal.push(world.domain.terms.equal(own, half));
    }
    let all = world.domain.terms.all(&equal);
    world.ask(all)
}

/// The same of a key that is no prefix's, where the upper half of an IPv4 address is 0 in any case.
pub fn has_key(world: &mut World<'_>, number: Term, tag: Term, [high, low]: Halves, six: bool) -> Ruled<bool> {
    let own_tag = field(world, number, TAG, 4)?;
    if !world.are_equal(own_tag, tag)? {
        return Ok(false);
    }
    let own_low = field(world, number, ADDRESS[1], 8)?;
    let mut equal = vec![world.domain.terms.equal(own_low, low)];
    if six {
        let own_high = field(world, number, ADDRESS[0], 8)?;
        equal.push(world.domain.terms.equal(own_high, high));
    }
    let all = world.domain.terms.all(&equal);
    world.ask(all)
}

/// What is assumed of a cell with this tag, which is no prefix's: it has the length 0, and of IPv4 the address has no
/// upper half.
pub fn has_plain_fields(world: &mut World<'_>, number: Term, tag: Term, six: bool) -> Ruled<Term> {
    let (own_tag, length) = (field(world, number, TAG, 4)?, field(world, number, PREFIX, 4)?);
    let high = field(world, number, ADDRESS[0], 8)?;
    let (has_tag, zero) = (world.domain.terms.equal(own_tag, tag), world.constant(0));
    let mut fields = vec![world.domain.terms.equal(length, zero)];
    if !six {
        fields.push(world.domain.terms.equal(high, zero));
    }
    let (has_another, are_plain) = (world.domain.terms.not(has_tag), world.domain.terms.all(&fields));
    Ok(world.domain.terms.any(&[has_another, are_plain]))
}

/// Whether nothing is in it; no key has the tag 0.
pub fn is_empty(world: &mut World<'_>, number: Term) -> Ruled<bool> {
    let tag = field(world, number, TAG, 4)?;
    world.is(tag, 0)
}

/// The number of a half's first cell.
pub fn first_of_half(world: &mut World<'_>, half: Term) -> Ruled<Term> {
    if world.is(half, 0)? { Ok(world.constant(0)) } else { world.filled_in(TABLE) }
}

/// The cell behind it in the half that starts at `first`; behind the last one, the first: their numbers are counted
/// modulo a power of two.
pub fn next(world: &mut World<'_>, first: Term, number: Term) -> Ruled<Term> {
    let cells = world.filled_in(TABLE)?;
    let (next, last) = (world.plus(number, 1), world.plus(cells, u64::MAX));
    let within = world.bitwise(Op::And, next, last);
    Ok(world.add(first, within))
}

/// The same, whichever half it is: the bits that count within a half go on by one, and the others stay.
pub fn next_around(world: &mut World<'_>, number: Term) -> Ruled<Term> {
    let cells = world.filled_in(TABLE)?;
    let (next, last) = (world.plus(number, 1), world.plus(cells, u64::MAX));
    let change = world.bitwise(Op::Xor, next, number);
    let change = world.bitwise(Op::And, change, last);
    Ok(world.bitwise(Op::Xor, change, number))
}

/// Whether there is a cell with this number.
pub fn is_there(world: &mut World<'_>, number: Term) -> Ruled<bool> {
    let cells = world.filled_in(TABLE)?;
    let all = world.times(cells, 2);
    world.is_below(number, all)
}

/// That it is a cell of the half that starts at `first`.
pub fn is_within(world: &mut World<'_>, first: Term, number: Term) -> Ruled<[Term; 2]> {
    let cells = world.filled_in(TABLE)?;
    let end = world.add(first, cells);
    let is_before = world.domain.terms.less(number, first);
    Ok([world.domain.terms.not(is_before), world.domain.terms.less(number, end)])
}

/// The best prefix that is known where a search for prefixes finds this cell: the length plus 1 above the number plus
/// 1. A service's is its own; a marker names one that is shorter, or none. `None`: there is no such cell.
pub fn best(world: &mut World<'_>, number: Term) -> Ruled<Option<Term>> {
    if !is_there(world, number)? {
        return Ok(None);
    }
    let flags = field(world, number, FLAGS, 4)?;
    if world.has_bit(flags, MARKER)? {
        let (best, length) = (field(world, number, BEST_NUMBER, 4)?, field(world, number, BEST_LENGTH, 4)?);
        return Ok(Some(world.above(length, best, 32)));
    }
    let length = field(world, number, PREFIX, 4)?;
    let (length, zero) = (world.plus(length, 1), world.constant(0));
    let (length, number) = (world.above(length, zero, 32), world.plus(number, 1));
    Ok(Some(world.bitwise(Op::Or, length, number)))
}
