//! The cells of a half: where searches start and go on.
//!
//! The place where a search starts is a hash that is shifted. All that matters of it is that it is below the number of
//! cells of a half; so it is replaced by any such number, and what is proven of one search is proven of all.

use std::collections::HashMap;

use anyhow::Result;

use crate::{
    domain::{Domain as _, Step, Stop},
    solver::Solver,
    symbolic::Symbolic,
    term::{Node, Op, Term},
};

/// What is known of bytes of cells, at places that depend on nothing but where a search starts.
#[derive(Debug, Default)]
pub struct Places {
    /// Started when there is a question. What a path knows is not asserted here.
    solver: Option<Solver>,
    known: HashMap<(Term, u64, u64), bool>,
}

const START: &str = "start of a search";
/// The table of cells, and the number of cells of a half.
pub const CELLS: &str = "CELLS";
/// The bytes of a cell.
const CELL: u64 = 64;

impl Symbolic {
    /// Whether so many bytes of cells are in this half, because of where the search started.
    pub fn is_in_half_of_cells(&mut self, at: Term, size: u64, half: u64) -> Step<bool, Self> {
        let Some(at) = self.with_any_start(at, &mut HashMap::new()) else { return Ok(false) };
        let key = (at, size, half);
        if let Some(known) = self.places.known.get(&key) {
            return Ok(*known);
        }
        let answer = self.ask_about_half(at, size, half).map_err(|error| Stop::Failed(format!("{error:#}")))?;
        self.places.known.insert(key, answer);
        Ok(answer)
    }

    /// The same with any number for where the search starts. `None`: it depends on something else.
    fn with_any_start(&mut self, term: Term, done: &mut HashMap<Term, Option<Term>>) -> Option<Term> {
        if let Some(done) = done.get(&term) {
            return *done;
        }
        let shift = self.number("CELL_SHIFT")?;
        let made = match self.terms.node(term).clone() {
            Node::Const(_) => Some(term),
            Node::Unknown(name) => (&*name == CELLS).then_some(term),
            Node::Table { .. } | Node::Function { .. } => None,
            Node::Apply(Op::Shr, _, by) if by == shift => self.start(),
            _ => {
                let arguments = self.terms.arguments(term);
                let made: Option<Vec<_>> =
                    arguments.into_iter().map(|argument| self.with_any_start(argument, done)).collect();
                made.map(|made| self.terms.rebuild(term, &made))
            }
        };
        done.insert(term, made);
        made
    }

    fn start(&mut self) -> Option<Term> {
        let cells = self.number(CELLS)?;
        let width = u64::BITS - self.terms.most(cells).leading_zeros();
        let start = self.terms.unknown(START, width);
        Some(self.terms.zero_extend(start, 64))
    }

    fn ask_about_half(&mut self, at: Term, size: u64, half: u64) -> Result<bool> {
        let (Some(start), Some(cells)) = (self.start(), self.number(CELLS)) else { return Ok(false) };
        let (size, zero) = (self.constant(size), self.constant(0));
        let terms = &mut self.terms;
        // A power of two, as user space makes it.
        let less = terms.sum(&[(cells, 1)], u64::MAX, 64);
        let common = terms.bitwise(Op::And, cells, less);
        let (is_power, is_none) = (terms.equal(common, zero), terms.equal(cells, zero));
        let (is_some, is_start) = (terms.not(is_none), terms.less(start, cells));
        let first = terms.sum(&[(cells, CELL * half)], 0, 64);
        let behind = terms.sum(&[(cells, CELL * (half + 1))], 0, 64);
        let last = terms.subtract(behind, size);
        let wrong = [terms.less(at, first), terms.less(last, at)];
        let is_wrong = terms.any(&wrong);
        let solver = match &mut self.places.solver {
            Some(solver) => solver,
            none => none.insert(Solver::start()?),
        };
        let depth = solver.depth();
        solver.push()?;
        for condition in [is_power, is_some, is_start, is_wrong] {
            solver.assert(&self.terms, condition)?;
        }
        let is_possible = solver.is_possible();
        solver.back_to(depth)?;
        Ok(!is_possible?)
    }
}
