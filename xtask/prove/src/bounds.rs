//! Whether an access to a table lies within it and, where it has two halves, in the half that is in force.
//!
//! Most indices were compared with the table's length on the path; then the address says which comparison that was. The
//! solver is asked about the rest.

use crate::{
    contracts::{self, WALK},
    domain::{Domain as _, Step, Stop},
    half::CELLS,
    symbolic::Symbolic,
    table_sizes::{self, Length, Table},
    term::{Node, Term},
};

/// So many bytes of a table.
#[derive(Clone, Copy, Debug)]
struct Access {
    table: Table,
    at: Term,
    size: u64,
}

/// Of a table with two halves, both.
const WHOLE: u64 = 2;

impl Symbolic {
    /// Fails unless the bytes lie within the table, and in the half that is in force.
    pub fn prove_access(&mut self, name: &str, at: Term, size: u32) -> Step<(), Self> {
        let Some(table) = table_sizes::of(name) else {
            return Err(Stop::Fault(format!("reads or writes {name}, whose length is not known here")));
        };
        let at = self.facts.refine(&mut self.terms, at);
        let access = Access { table, at, size: size.into() };
        let number = self.compared_number(&access);
        // In which half that is, the search was told; see the assumptions.
        let was_found = number.is_some_and(|number| self.was_found(number));
        if let (true, false, Some(half)) = (table.has_halves, was_found, self.half) {
            return self.within_half(&access, half);
        }
        if number.is_some() || self.is_of_search(&access, 0)? || self.is_of_search(&access, 1)? {
            return Ok(());
        }
        let is_within = self.lies_between(&access, 0, WHOLE);
        self.prove_within(&access, is_within, "of the table")
    }

    /// The same for the half that this bit names.
    fn within_half(&mut self, access: &Access, half: Term) -> Step<(), Self> {
        let zero = self.terms.constant(0, 1);
        let is_first = self.terms.equal(half, zero);
        let half = match self.both_or(is_first)? {
            Some(is_first) => u64::from(!is_first),
            None => return Err(Stop::Fork(is_first)),
        };
        if self.is_of_search(access, half)? {
            return Ok(());
        }
        let is_within = self.lies_between(access, half, half + 1);
        self.prove_within(access, is_within, "of the half that is in force")
    }

    /// Whether they are bytes of cells in this half because of where a search started.
    fn is_of_search(&mut self, access: &Access, half: u64) -> Step<bool, Self> {
        let is_cell = access.table.name == CELLS;
        Ok(is_cell && self.is_in_half_of_cells(access.at, access.size, half)?)
    }

    fn prove_within(&mut self, access: &Access, is_within: Term, whole: &str) -> Step<(), Self> {
        if self.holds(is_within)? {
            return Ok(());
        }
        // What is beyond is looked at alone: then there is an example that shows it.
        if self.can_hold(is_within)? {
            return Err(Stop::Fork(is_within));
        }
        Err(Stop::Fault(format!("{} bytes of {}, beyond the end {whole}", access.size, access.table.name)))
    }

    /// The number of the entry, if it was compared with how many there are, and all bytes are of one entry.
    fn compared_number(&mut self, access: &Access) -> Option<Term> {
        let Table { entry, length, .. } = access.table;
        let entries = self.entries(length);
        let is_length = |domain: &mut Self, bound: Term| domain.terms.zero_extend(bound, 64) == entries;
        let less = self.facts.conditions.iter().filter(|(_, holds)| **holds);
        let less = less.filter_map(|(condition, _)| match *self.terms.node(*condition) {
            Node::Less(number, bound) => Some((number, bound)),
            _ => None,
        });
        for (number, bound) in less.collect::<Vec<_>>() {
            if !is_length(self, bound) {
                continue;
            }
            let number = self.terms.zero_extend(number, 64);
            let size = self.constant(entry);
            let start = self.terms.multiply(number, size);
            let distance = self.terms.subtract(access.at, start);
            let is_within = |distance: u64| distance.checked_add(access.size).is_some_and(|end| end <= entry);
            if self.terms.known(distance).is_some_and(is_within) {
                return Some(number);
            }
        }
        None
    }

    /// Whether a function of the program has said the number.
    fn was_found(&mut self, number: Term) -> bool {
        let next = self.terms.sum(&[(number, 1)], 1, 64);
        let Node::Function { name, .. } = self.terms.node(next) else { return false };
        contracts::FUNCTIONS.iter().any(|function| function.name == &**name && function.name != WALK)
    }

    /// From one half's start to that of another.
    fn lies_between(&mut self, access: &Access, first: u64, behind: u64) -> Term {
        let (first, behind) = (self.bytes(&access.table, first), self.bytes(&access.table, behind));
        let size = self.constant(access.size);
        let last = self.terms.subtract(behind, size);
        let wrong =
            [self.terms.less(access.at, first), self.terms.less(behind, size), self.terms.less(last, access.at)];
        let right = wrong.map(|wrong| self.terms.not(wrong));
        self.terms.all(&right)
    }

    fn entries(&mut self, length: Length) -> Term {
        match length {
            Length::Entries(entries) => self.constant(entries),
            Length::Number(name, factor) => {
                let number = self.number(name).unwrap_or_else(|| self.constant(0));
                self.terms.sum(&[(number, factor)], 0, 64)
            }
        }
    }

    /// How many bytes so many halves have.
    fn bytes(&mut self, table: &Table, halves: u64) -> Term {
        let entries = self.entries(table.length);
        self.terms.sum(&[(entries, table.entry / WHOLE * halves)], 0, 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Op;

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
        let mut domain = Symbolic::new(false).unwrap();
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
        let mut domain = Symbolic::new(false).unwrap();
        let index = index(&mut domain, "ALL_COUNTERS");
        assert!(is_right(&mut domain, "TALLIES", (index, 4, 0), 4));
        assert!(is_right(&mut domain, "COUNTERS", (index, 16, 8), 8));
        assert!(!is_right(&mut domain, "OUTCOMES", (index, 16, 8), 8));
        assert!(!is_right(&mut domain, "SLOTS", (index, 8, 0), 8));
    }

    #[test]
    fn an_index_that_was_not_compared_may_be_beyond() {
        let mut domain = Symbolic::new(false).unwrap();
        let index = domain.terms.unknown("index", 64);
        assert!(!is_right(&mut domain, "SLOTS", (index, 8, 0), 8));
        let index = domain.constant(0);
        assert!(is_right(&mut domain, "CONTROL", (index, 8, 0), 8));
        assert!(!is_right(&mut domain, "CONTROL", (index, 8, 1), 8));
    }

    /// What is beyond is looked at alone, and is a fault then.
    #[test]
    fn beyond_the_end_is_a_fault() {
        let mut domain = Symbolic::new(false).unwrap();
        let index = domain.terms.unknown("index", 64);
        let at = domain.terms.sum(&[(index, 8)], 0, 64);
        let Err(Stop::Fork(within)) = domain.prove_access("SLOTS", at, 8) else { panic!("it may be within") };
        let beyond = domain.terms.not(within);
        domain.assume(beyond).unwrap();
        assert!(
            matches!(domain.prove_access("SLOTS", at, 8), Err(Stop::Fault(what)) if what.contains("beyond the end"))
        );
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
            let mut domain = Symbolic::new(false).unwrap();
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
        let mut domain = Symbolic::new(false).unwrap();
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

    #[test]
    fn the_half_must_be_known() {
        let mut domain = Symbolic::new(false).unwrap();
        let filter = domain.constant(0);
        assert!(is_right(&mut domain, "FILTERS", (filter, 8_256, 0), 8));
        domain.read_one_half();
        assert!(!is_right(&mut domain, "FILTERS", (filter, 8_256, 0), 8));
    }

    #[test]
    fn searches_know_the_half() {
        let mut domain = Symbolic::new(false).unwrap();
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
}
