//! The cells of a half: where searches start and go on.
//!
//! The place where a search starts is a hash that is shifted. All that matters of it is that it is below the number of
//! cells of a half; so it is replaced by any such number, and what is proven of one search is proven of all.

use std::collections::HashMap;

use anyhow::Result;

use crate::{
    solver::Solver,
    term::{Node, Op, Term, Terms},
};

/// The table of cells, and the number of cells of a half.
pub const CELLS: &str = "CELLS";
/// By how much a hash is shifted.
pub const SHIFT: &str = "CELL_SHIFT";
/// The bytes of a cell.
const CELL: u64 = 64;

/// What user space fills in.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    pub cells: Term,
    pub shift: Term,
}

/// What is known of bytes of cells, at places that depend on nothing but where a search starts.
#[derive(Debug, Default)]
pub struct Places {
    /// Started when there is a question. What a path knows is not asserted here.
    solver: Option<Solver>,
    known: HashMap<(Term, Term, u64, u64), bool>,
}

impl Places {
    /// Whether so many bytes of cells are in this half, because of where the search started.
    pub fn are_in_half(
        &mut self,
        terms: &mut Terms,
        filled: Filled,
        (at, size): (Term, u64),
        half: u64,
    ) -> Result<bool> {
        let Some(at) = with_any_start(terms, filled, at, &mut HashMap::new()) else { return Ok(false) };
        let key = (filled.cells, at, size, half);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let answer = self.ask(terms, filled.cells, (at, size), half)?;
        self.known.insert(key, answer);
        Ok(answer)
    }

    fn ask(&mut self, terms: &mut Terms, cells: Term, (at, size): (Term, u64), half: u64) -> Result<bool> {
        let (size, zero) = (terms.constant(size, 64), terms.constant(0, 64));
        // A power of two, as user space makes it.
        let less = terms.sum(&[(cells, 1)], u64::MAX, 64);
        let common = terms.bitwise(Op::And, cells, less);
        let (is_power, is_none) = (terms.equal(common, zero), terms.equal(cells, zero));
        let start = start(terms, cells);
        let (is_some, is_start) = (terms.not(is_none), terms.less(start, cells));
        let first = terms.sum(&[(cells, CELL * half)], 0, 64);
        let behind = terms.sum(&[(cells, CELL * (half + 1))], 0, 64);
        let last = terms.subtract(behind, size);
        let wrong = [terms.less(at, first), terms.less(last, at)];
        let is_wrong = terms.any(&wrong);
        let solver = match &mut self.solver {
            Some(solver) => solver,
            none => none.insert(Solver::start()?),
        };
        let depth = solver.depth();
        solver.push()?;
        for condition in [is_power, is_some, is_start, is_wrong] {
            solver.assert(terms, condition)?;
        }
        let is_possible = solver.is_possible();
        solver.back_to(depth)?;
        Ok(!is_possible?)
    }
}

/// The same with any number for where the search starts. `None`: it depends on something else.
fn with_any_start(
    terms: &mut Terms,
    filled: Filled,
    term: Term,
    done: &mut HashMap<Term, Option<Term>>,
) -> Option<Term> {
    if let Some(done) = done.get(&term) {
        return *done;
    }
    let made = match terms.node(term).clone() {
        Node::Const(_) => Some(term),
        Node::Unknown(name) => (&*name == CELLS).then_some(term),
        Node::Table { .. } | Node::Function { .. } => None,
        Node::Apply(Op::Shr, _, by) if by == filled.shift => Some(start(terms, filled.cells)),
        _ => {
            let arguments = terms.arguments(term);
            let made = arguments.into_iter().map(|argument| with_any_start(terms, filled, argument, done));
            let made: Option<Vec<_>> = made.collect();
            made.map(|made| terms.rebuild(term, &made))
        }
    };
    done.insert(term, made);
    made
}

/// A number of as many bits as the number of cells.
fn start(terms: &mut Terms, cells: Term) -> Term {
    let width = u64::BITS - terms.most(cells).leading_zeros();
    let start = terms.unknown("start of a search", width.max(1));
    terms.zero_extend(start, 64)
}
