//! What user space keeps to in the table of services. The general path of some programs looks into it more thoroughly
//! than the fast path: into more cells, and at more of each.

use std::rc::Rc;

use crate::{
    facts::Facts,
    term::{Node, Op, Term, Terms},
};

/// The bytes of an entry, as a power of two.
const SIZE_BITS: u32 = 6;
/// Where in it the lowest byte of the tag is: the kind in the upper half, the family in three bits of the lower.
const TAG: u64 = 16;

/// Bytes that are 0 in entries whose tag has such a lowest byte.
struct Zeros {
    bytes: std::ops::Range<u64>,
    mask: u64,
    tag: u64,
}

/// Services of addresses with a port: the first half of an IPv4 address, and the length of a prefix, which they have
/// none of.
const ZEROS: [Zeros; 2] =
    [Zeros { bytes: 0..8, mask: 0xf7, tag: 0x14 }, Zeros { bytes: 48..52, mask: 0xf0, tag: 0x10 }];

/// From how many to how many bits of a hash are no part of a cell's number.
const SHIFTS: std::ops::Range<u64> = 32..64;

/// A half has as many cells as hashes can name: what holds of these numbers.
pub fn of_numbers(terms: &mut Terms, shift: Term, cells: Term) -> [Term; 3] {
    let [least, limit, all] = [SHIFTS.start, SHIFTS.end, u64::MAX].map(|value| terms.constant(value, 64));
    let too_small = terms.less(shift, least);
    let (is_large, is_small) = (terms.not(too_small), terms.less(shift, limit));
    let last = terms.shift(Op::Shr, all, shift);
    let count = terms.sum(&[(last, 1)], 1, 64);
    [is_large, is_small, terms.equal(count, cells)]
}

/// What user space sees to for a byte of the table.
pub fn of_byte(terms: &mut Terms, facts: &Facts, table: &Rc<str>, byte: Term) -> Option<Term> {
    let Node::Table { base, offset, .. } = *terms.node(byte) else { return None };
    let in_entry = in_entry(offset);
    let zeros = ZEROS.iter().find(|zeros| zeros.bytes.contains(&in_entry)).filter(|_| is_aligned(terms, base))?;
    let place = terms.sum(&[(base, 1)], offset - in_entry + TAG, 64);
    let tag = terms.table_byte(table, place);
    let [mask, wanted, zero] = [zeros.mask, zeros.tag, 0].map(|value| terms.constant(value, 8));
    let kind = terms.bitwise(Op::And, tag, mask);
    let (fits, is_zero) = (terms.equal(kind, wanted), terms.equal(byte, zero));
    if facts.decide(terms, fits) == Some(true) {
        return Some(is_zero);
    }
    let is_other = terms.not(is_zero);
    let both = terms.all(&[fits, is_other]);
    Some(terms.not(both))
}

/// What will be asked of the number of the entry whose tag this is a byte of: whether it is below the table's length,
/// and not the last of all numbers. Nothing where the number cannot be told from the place.
pub fn of_place(terms: &mut Terms, cells: Term, byte: Term) -> Vec<Term> {
    let Node::Table { base, offset, .. } = *terms.node(byte) else { return Vec::new() };
    let Node::Sum { parts, constant } = terms.node(base).clone() else { return Vec::new() };
    if in_entry(offset) != TAG || !is_aligned(terms, base) {
        return Vec::new();
    }
    let start = constant.wrapping_add(offset - TAG) >> SIZE_BITS;
    let parts: Vec<_> = parts.iter().map(|(part, factor)| (*part, factor >> SIZE_BITS)).collect();
    let (number, next) = (terms.sum(&parts, start, 64), terms.sum(&parts, start.wrapping_add(1), 64));
    let (entries, zero) = (terms.shift_left(cells, 1), terms.constant(0, 64));
    let is_none = terms.equal(next, zero);
    vec![terms.less(number, entries), terms.not(is_none)]
}

const fn in_entry(offset: u64) -> u64 {
    offset & ((1 << SIZE_BITS) - 1)
}

/// Whether an address is a multiple of an entry's size in any case.
fn is_aligned(terms: &mut Terms, base: Term) -> bool {
    let low = terms.slice(base, 0, SIZE_BITS);
    if terms.known(low) == Some(0) {
        return true;
    }
    let Node::Sum { parts, constant } = terms.node(base) else { return false };
    let is = |number: &u64| number.trailing_zeros() >= SIZE_BITS;
    is(constant) && parts.iter().all(|(_, factor)| is(factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::half::CELLS;

    /// A byte of the entry with any number.
    fn byte(terms: &mut Terms, table: &Rc<str>, at: u64) -> Term {
        let number = terms.unknown("number", 32);
        let place = terms.sum(&[(number, 64)], at, 64);
        terms.table_byte(table, place)
    }

    fn said(at: u64, tag: u64) -> Option<bool> {
        let (mut terms, mut facts, table) = (Terms::default(), Facts::default(), CELLS.into());
        let lowest = byte(&mut terms, &table, TAG);
        let tag = terms.constant(tag, 8);
        let is_tag = terms.equal(lowest, tag);
        facts.learn(&terms, is_tag, true);
        let byte = byte(&mut terms, &table, at);
        let condition = of_byte(&mut terms, &facts, &table, byte)?;
        let zero = terms.constant(0, 8);
        Some(condition == terms.equal(byte, zero))
    }

    #[test]
    fn services_with_a_port_have_no_prefix() {
        assert_eq!([said(48, 0x14), said(51, 0x1e), said(48, 0x54)], [Some(true), Some(true), Some(false)]);
        assert_eq!([said(47, 0x14), said(52, 0x14)], [None, None]);
    }

    #[test]
    fn the_first_half_of_an_ipv4_address_is_zero() {
        assert_eq!([said(0, 0x14), said(7, 0x1c), said(7, 0x16)], [Some(true), Some(true), Some(false)]);
        assert_eq!(said(8, 0x14), None);
    }

    #[test]
    fn of_other_places_nothing_is_said() {
        let (mut terms, table) = (Terms::default(), CELLS.into());
        let number = terms.unknown("number", 32);
        let place = terms.sum(&[(number, 32)], 48, 64);
        let byte = terms.table_byte(&table, place);
        assert_eq!(of_byte(&mut terms, &Facts::default(), &table, byte), None);
    }
}
