//! Whether an access to a table lies within it and, where it has two halves, in the half that is in force.
//!
//! Most indices were compared with the table's length on the path; then the address says which comparison that was. The
//! solver is asked about the rest.

use crate::{
    contracts::{self, WALK},
    domain::{Domain as _, Step, Stop},
    half::{CELLS, Filled, SHIFT},
    symbolic::Symbolic,
    table_sizes::{self, Length, Table},
    term::{Node, Op, Term},
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
        if self.is_of_cell(&access) {
            return Ok(());
        }
        let number = self.compared_number(&access);
        // In which half that is, the search was told; see the assumptions.
        let was_found = number.is_some_and(|number| self.was_found(number));
        if let (true, false, Some(half)) = (table.has_halves, was_found, self.half) {
            return self.within_half(&access, half);
        }
        if number.is_some() || self.is_of_search(&access, 0)? || self.is_of_search(&access, 1)? {
            return Ok(());
        }
        self.prove_between(&access, (0, WHOLE), "of the table")
    }

    /// Whether they are bytes of the cell that is known to be in its place.
    fn is_of_cell(&mut self, access: &Access) -> bool {
        let (CELLS, Some(cell)) = (access.table.name, self.cell) else { return false };
        let distance = self.terms.subtract(access.at, cell);
        let end = self.terms.known(distance).and_then(|distance| distance.checked_add(access.size));
        end.is_some_and(|end| end <= access.table.entry)
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
        self.prove_between(access, (half, half + 1), "of the half that is in force")
    }

    /// Hashes are shifted as far as there are cells. Only examples need it; where it matters to a proof, see
    /// [`crate::half`].
    pub fn fits_cells(&mut self) -> Term {
        let (Some(cells), Some(shift)) = (self.number(CELLS), self.number(SHIFT)) else {
            return self.terms.truth(false);
        };
        let (one, zero) = (self.constant(1), self.constant(0));
        let bits = self.terms.subtract(zero, shift);
        let all = self.terms.shift(Op::Shl, one, bits);
        self.terms.equal(cells, all)
    }

    /// Whether they are bytes of cells in this half because of where a search started.
    fn is_of_search(&mut self, access: &Access, half: u64) -> Step<bool, Self> {
        let (CELLS, Some(cells), Some(shift)) = (access.table.name, self.number(CELLS), self.number(SHIFT)) else {
            return Ok(false);
        };
        let places = (access.at, access.size);
        let answer = self.places.are_in_half(&mut self.terms, Filled { cells, shift }, places, half);
        answer.map_err(|error| Stop::Failed(format!("{error:#}")))
    }

    /// From the start of one half to that of another.
    fn prove_between(&mut self, access: &Access, (first, behind): (u64, u64), whole: &str) -> Step<(), Self> {
        let (first, behind) = (self.bytes(&access.table, first), self.bytes(&access.table, behind));
        if let (Some(first), Some(behind)) = (self.terms.known(first), self.terms.known(behind)) {
            let (least, most) = self.facts.interval(&self.terms, access.at);
            if first <= least && most.checked_add(access.size).is_some_and(|end| end <= behind) {
                return Ok(());
            }
        }
        let is_within = self.lies_between(access, first, behind);
        if self.holds(is_within)? {
            return Ok(());
        }
        // What is beyond is looked at alone, and first: then there is an example that shows it, and soon.
        if self.can_hold(is_within)? {
            return Err(Stop::Fork(self.terms.not(is_within)));
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

    fn lies_between(&mut self, access: &Access, first: Term, behind: Term) -> Term {
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
mod tests;
