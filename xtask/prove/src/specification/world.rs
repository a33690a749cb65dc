//! What the specification may look at, and how it asks.

use std::rc::Rc;

use crate::{
    domain::{Domain as _, Stop},
    insn::Alu,
    specification::{effects::Effects, outcome::Outcome, stage},
    state::Write,
    symbolic::Symbolic,
    term::{Term, Terms},
};

/// Why a rule is not followed to its end.
#[derive(Debug)]
pub enum Halt {
    /// It says that this becomes of the packet.
    Outcome(Outcome),
    /// Both may be the case here.
    Stop(Stop<Term>),
}

impl From<Outcome> for Halt {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<Stop<Term>> for Halt {
    fn from(stop: Stop<Term>) -> Self {
        Self::Stop(stop)
    }
}

pub type Ruled<T> = Result<T, Halt>;

/// By what the service of a flow is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Search {
    /// First by few cells.
    Few,
    /// By the whole search.
    Whole,
    /// Among prefixes, where few cells have told that there is nothing else.
    Prefixes,
}

/// The world that a packet comes into. Numbers have 64 bits.
pub struct World<'a> {
    pub domain: &'a mut Symbolic,
    /// Whether the solver is asked where it is not plain.
    pub asks: bool,
    pub search: Search,
    /// What was done with the packet by now.
    pub effects: Effects,
}

impl<'a> World<'a> {
    pub fn new(domain: &'a mut Symbolic, asks: bool, search: Search) -> Self {
        Self { domain, asks, search, effects: Effects::default() }
    }
}

impl World<'_> {
    pub fn constant(&mut self, value: u64) -> Term {
        self.domain.constant(value)
    }

    pub fn plus(&mut self, number: Term, more: u64) -> Term {
        let more = self.constant(more);
        self.add(number, more)
    }

    pub fn add(&mut self, one: Term, other: Term) -> Term {
        self.domain.terms.add(one, other)
    }

    pub fn minus(&mut self, number: Term, less: Term) -> Term {
        self.domain.terms.subtract(number, less)
    }

    /// Any calculation, as an instruction does it.
    pub fn calculate(&mut self, op: Alu, one: Term, other: Term) -> Term {
        let result = self.domain.arithmetic(op, 64, &one, &other);
        self.domain.facts.refine(&mut self.domain.terms, result)
    }

    pub fn times(&mut self, number: Term, factor: u64) -> Term {
        let factor = self.constant(factor);
        self.domain.terms.multiply(number, factor)
    }

    /// So many bits of a number, from this one on, as a number.
    pub fn bits(&mut self, number: Term, low: u32, count: u32) -> Term {
        let bits = self.domain.terms.slice(number, low, count);
        self.domain.terms.zero_extend(bits, 64)
    }

    /// The first buffer's length.
    pub fn first_buffer(&mut self) -> Term {
        self.domain.length()
    }

    /// The frame's length.
    pub fn whole(&mut self) -> Term {
        if self.domain.kind().has_more() { self.domain.whole_length() } else { self.domain.length() }
    }

    /// Whether a condition holds.
    pub fn ask(&mut self, condition: Term) -> Ruled<bool> {
        if !self.asks {
            let plain = self.domain.facts.decide(&mut self.domain.terms, condition);
            return plain.ok_or_else(|| Stop::Fork(condition).into());
        }
        self.domain.both_or(condition)?.ok_or_else(|| Stop::Fork(condition).into())
    }

    /// Whether a number is this one.
    pub fn is(&mut self, number: Term, value: u64) -> Ruled<bool> {
        let value = self.constant(value);
        let condition = self.domain.terms.equal(number, value);
        self.ask(condition)
    }

    /// Whether a byte is this one.
    pub fn is_byte(&mut self, byte: Term, value: u64) -> Ruled<bool> {
        let number = self.domain.terms.zero_extend(byte, 64);
        self.is(number, value)
    }

    /// Whether a number is one of these.
    pub fn is_one_of(&mut self, number: Term, values: &[u64]) -> Ruled<bool> {
        let condition = one_of(&mut self.domain.terms, number, values);
        self.ask(condition)
    }

    /// Whether two numbers are the same.
    pub fn are_equal(&mut self, one: Term, other: Term) -> Ruled<bool> {
        let condition = self.domain.terms.equal(one, other);
        self.ask(condition)
    }

    /// Whether `number < limit`.
    pub fn is_below(&mut self, number: Term, limit: Term) -> Ruled<bool> {
        let condition = self.domain.terms.less(number, limit);
        self.ask(condition)
    }

    /// Whether `least <= number`.
    pub fn is_at_least(&mut self, number: Term, least: Term) -> Ruled<bool> {
        let less = self.domain.terms.less(number, least);
        let condition = self.domain.terms.not(less);
        self.ask(condition)
    }

    /// Whether it is less than a number that user space fills in.
    pub fn is_less(&mut self, number: Term, limit: &str) -> Ruled<bool> {
        let limit = self.filled_in(limit)?;
        let condition = self.domain.terms.less(number, limit);
        self.ask(condition)
    }

    /// Whether so many bytes of the frame from this one on can be read.
    pub fn is_there(&mut self, at: Term, size: u64) -> Ruled<bool> {
        let (end, length) = (self.plus(at, size), self.first_buffer());
        self.is_at_least(length, end)
    }

    /// A number of so many bytes in the frame, in network byte order.
    pub fn number(&mut self, at: Term, size: u64) -> Term {
        let bytes = self.bytes(at, size);
        stage::number(&mut self.domain.terms, &bytes)
    }

    /// So many bytes of the frame.
    pub fn bytes(&mut self, at: Term, size: u64) -> Vec<Term> {
        (0..size)
            .map(|offset| {
                let place = self.plus(at, offset);
                self.domain.frame_byte(place)
            })
            .collect()
    }

    /// A number in a table, in the machine's byte order.
    pub fn table(&mut self, table: &str, address: Term, size: u64) -> Ruled<Term> {
        let table: Rc<str> = table.into();
        let mut bytes = Vec::new();
        for offset in 0..size {
            let place = self.plus(address, offset);
            bytes.push(self.domain.table_byte(&table, &place)?);
        }
        Ok(self.domain.join(&bytes))
    }

    /// Stores a number to a table.
    pub fn store(&mut self, table: &str, address: Term, size: u32, value: Term) {
        // As bytes, so that the term is the one that the program's store has.
        let bytes = self.domain.bytes(&value, size);
        let value = self.domain.join(&bytes);
        self.effects.writes.push(Write { table: table.into(), address, size, value });
    }

    /// What a function returns that is not looked into.
    pub fn function(&mut self, name: &str, arguments: &[Term]) -> Term {
        let result = self.domain.terms.function(name, arguments);
        self.domain.facts.refine(&mut self.domain.terms, result)
    }
}

/// A number is one of these.
pub fn one_of(terms: &mut Terms, number: Term, values: &[u64]) -> Term {
    let cases: Vec<_> = values
        .iter()
        .map(|value| {
            let value = terms.constant(*value, terms.width(number));
            terms.equal(number, value)
        })
        .collect();
    terms.any(&cases)
}
