use super::*;
use crate::programs::Kind;

fn number(domain: &mut Symbolic, name: &str) -> Term {
    domain.number(name).unwrap()
}

/// An index below a number that user space fills in.
fn index(domain: &mut Symbolic, limit: &str) -> Term {
    let (index, limit) = (domain.terms.unknown("index", 64), number(domain, limit));
    let is_below = domain.terms.less(index, limit);
    domain.assume(is_below).unwrap();
    index
}

/// Whether an access at `entry * index + offset` is known to be right.
fn is_right(domain: &mut Symbolic, table: &str, (index, entry, offset): (Term, u64, u64), size: u32) -> bool {
    let entry = domain.constant(entry);
    let start = domain.terms.multiply(index, entry);
    let at = domain.terms.sum(&[(start, 1)], offset, 64);
    match domain.prove_access(table, at, size) {
        Ok(()) => true,
        Err(Stop::Fork(_) | Stop::Fault(_)) => false,
        Err(Stop::Failed(what)) => panic!("{what}"),
    }
}

#[test]
fn an_index_that_was_compared_is_of_an_entry() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let index = index(&mut domain, "SLOTS");
    let asked = domain.solver.questions;
    assert!(is_right(&mut domain, "SLOTS", (index, 8, 0), 8));
    assert!(is_right(&mut domain, "SLOTS", (index, 8, 7), 1));
    assert_eq!(domain.solver.questions, asked, "the solver is not needed");
    assert!(!is_right(&mut domain, "SLOTS", (index, 8, 1), 8));
    assert!(!is_right(&mut domain, "SLOTS", (index, 8, 8), 8));
    assert!(!is_right(&mut domain, "SLOTS", (index, 16, 0), 8));
}

#[test]
fn another_table_has_another_length() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let index = index(&mut domain, "ALL_COUNTERS");
    assert!(is_right(&mut domain, "TALLIES", (index, 4, 0), 4));
    assert!(is_right(&mut domain, "COUNTERS", (index, 16, 8), 8));
    assert!(!is_right(&mut domain, "OUTCOMES", (index, 16, 8), 8));
    assert!(!is_right(&mut domain, "SLOTS", (index, 8, 0), 8));
}

#[test]
fn an_index_that_was_not_compared_may_be_beyond() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let index = domain.terms.unknown("index", 64);
    assert!(!is_right(&mut domain, "SLOTS", (index, 8, 0), 8));
    let index = domain.constant(0);
    assert!(is_right(&mut domain, "CONTROL", (index, 8, 0), 8));
    assert!(!is_right(&mut domain, "CONTROL", (index, 8, 1), 8));
}

/// What is beyond is looked at alone, and is a fault then.
#[test]
fn beyond_the_end_is_a_fault() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let index = domain.terms.unknown("index", 64);
    let at = domain.terms.sum(&[(index, 8)], 0, 64);
    let Err(Stop::Fork(beyond)) = domain.prove_access("SLOTS", at, 8) else { panic!("it may be within") };
    domain.assume(beyond).unwrap();
    assert!(matches!(domain.prove_access("SLOTS", at, 8), Err(Stop::Fault(what)) if what.contains("beyond the end")));
}

/// Where a search starts, in the half that is in force if this holds.
fn start(domain: &mut Symbolic, second: bool) -> Term {
    let (hash, shift) = (domain.terms.unknown("hash", 64), number(domain, "CELL_SHIFT"));
    let start = domain.terms.shift(Op::Shr, hash, shift);
    let cells = number(domain, "CELLS");
    domain.terms.sum(&[(start, 1), (cells, second.into())], 0, 64)
}

/// As `maps::next_cell`, in the form that the compiler chose.
fn next(domain: &mut Symbolic, cell: Term) -> Term {
    let (cells, terms) = (number(domain, "CELLS"), &mut domain.terms);
    let (next, mask) = (terms.sum(&[(cell, 1)], 1, 64), terms.sum(&[(cells, 1)], u64::MAX, 64));
    let differs = terms.bitwise(Op::Xor, next, cell);
    let within = terms.bitwise(Op::And, differs, mask);
    terms.bitwise(Op::Xor, within, cell)
}

#[test]
fn a_search_stays_in_the_half_in_force() {
    for in_force in [false, true] {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        domain.read_one_half();
        let (half, zero) = (domain.half.unwrap(), domain.terms.constant(0, 1));
        let is_first = domain.terms.equal(half, zero);
        let is_it = if in_force { domain.terms.not(is_first) } else { is_first };
        domain.assume(is_it).unwrap();
        for second in [false, true] {
            let cell = start(&mut domain, second);
            assert_eq!(is_right(&mut domain, "CELLS", (cell, 64, 48), 8), in_force == second);
            let following = next(&mut domain, cell);
            assert_eq!(is_right(&mut domain, "CELLS", (following, 64, 48), 8), in_force == second);
            assert!(!is_right(&mut domain, "CELLS", (cell, 64, 64), 8), "the next one may be of the other half");
        }
        let filter = domain.constant(2 * u64::from(in_force));
        assert!(is_right(&mut domain, "FILTERS", (filter, 8_256, 8_256), 8));
        assert!(!is_right(&mut domain, "FILTERS", (filter, 8_256, 2 * 8_256), 8));
    }
}

#[test]
fn which_half_it_is_need_not_matter() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    for second in [false, true] {
        let mut cell = start(&mut domain, second);
        for _ in 0..7 {
            assert!(is_right(&mut domain, "CELLS", (cell, 64, 0), 8));
            cell = next(&mut domain, cell);
        }
        let half = number(&mut domain, "CELLS");
        let beyond = domain.terms.sum(&[(cell, 1), (half, 1)], 0, 64);
        assert_eq!(is_right(&mut domain, "CELLS", (beyond, 64, 0), 8), !second);
    }
}

/// Which filter or list it is depends on two bits, and how far in it on others.
#[test]
fn entries_of_odd_sizes_are_multiplied() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let (number, byte) = (domain.terms.unknown("number", 2), domain.terms.unknown("byte", 7));
    let [number, byte] = [number, byte].map(|term| domain.terms.zero_extend(term, 64));
    let size = domain.constant(136);
    let start = domain.terms.multiply(number, size);
    for (offset, is_within) in [(4, true), (8, true), (9, false)] {
        let at = domain.terms.sum(&[(start, 1), (byte, 1)], offset, 64);
        assert_eq!(domain.prove_access("PREFIXES", at, 1).is_ok(), is_within, "{offset}");
    }
}

#[test]
fn the_half_must_be_known() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let filter = domain.constant(0);
    assert!(is_right(&mut domain, "FILTERS", (filter, 8_256, 0), 8));
    domain.read_one_half();
    assert!(!is_right(&mut domain, "FILTERS", (filter, 8_256, 0), 8));
}

#[test]
fn searches_know_the_half() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    domain.read_one_half();
    let argument = domain.constant(1);
    for (function, is_search) in [("modlb_search", true), ("another", false)] {
        let found = domain.terms.function(function, &[argument]);
        let (cell, cells) = (domain.terms.sum(&[(found, 1)], u64::MAX, 64), number(&mut domain, "CELLS"));
        let limit = domain.terms.shift_left(cells, 1);
        let is_below = domain.terms.less(cell, limit);
        assert!(!is_right(&mut domain, "CELLS", (cell, 64, 0), 8), "it was not compared");
        domain.assume(is_below).unwrap();
        assert_eq!(is_right(&mut domain, "CELLS", (cell, 64, 0), 8), is_search);
    }
}

#[test]
fn examples_have_as_many_cells_as_hashes_name() {
    let mut domain = Symbolic::new(Kind::Buffer).unwrap();
    let fits = domain.fits_cells();
    domain.assume(fits).unwrap();
    for (shift, cells) in [(50, 1 << 14), (63, 2)] {
        let (named, there) = (number(&mut domain, "CELL_SHIFT"), number(&mut domain, "CELLS"));
        for (other, is_possible) in [(cells, true), (cells + 1, false), (2 * cells, false)] {
            let [shift, other] = [shift, other].map(|number| domain.constant(number));
            let both = [domain.terms.equal(named, shift), domain.terms.equal(there, other)];
            let both = domain.terms.all(&both);
            assert_eq!(domain.can_hold(both).unwrap(), is_possible);
        }
    }
}
