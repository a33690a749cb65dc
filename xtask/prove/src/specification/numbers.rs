//! How rules about tables calculate.

use crate::{
    specification::world::{Ruled, World},
    term::{Op, Term},
};

impl World<'_> {
    /// Bit by bit.
    pub fn bitwise(&mut self, op: Op, one: Term, other: Term) -> Term {
        self.domain.terms.bitwise(op, one, other)
    }

    /// The product: of constants and powers of two alone it is calculated, so what is known is put in.
    pub fn product(&mut self, one: Term, other: Term) -> Term {
        let [one, other] = [one, other].map(|side| self.domain.facts.refine(&mut self.domain.terms, side));
        self.domain.terms.multiply(one, other)
    }

    /// Shifted by the lowest six bits of a number.
    pub fn shifted(&mut self, op: Op, number: Term, by: Term) -> Term {
        self.domain.terms.shift(op, number, by)
    }

    /// Whether a bit is set.
    pub fn has_bit(&mut self, number: Term, bit: u32) -> Ruled<bool> {
        let bit = self.bits(number, bit, 1);
        Ok(!self.is(bit, 0)?)
    }

    /// Whether a bit is set whose number, up to 63, is calculated.
    pub fn has_bit_at(&mut self, number: Term, bit: Term) -> Ruled<bool> {
        let lowest = self.shifted(Op::Shr, number, bit);
        self.has_bit(lowest, 0)
    }

    /// A number above another of so many bits.
    pub fn above(&mut self, upper: Term, lower: Term, bits: u32) -> Term {
        let (lower, upper) = (self.domain.terms.slice(lower, 0, bits), self.domain.terms.slice(upper, 0, 64 - bits));
        self.domain.terms.concat(&[lower, upper])
    }

    /// A number that user space fills in.
    pub fn filled_in(&mut self, name: &str) -> Ruled<Term> {
        let number = self.domain.number(name);
        number.ok_or_else(|| crate::domain::Stop::Failed(format!("there is no number {name}")).into())
    }

    /// What another function returns, by what is known of its arguments.
    pub fn call(&mut self, name: &str, arguments: &[Term]) -> Term {
        let facts = &self.domain.facts;
        let arguments: Vec<_> =
            arguments.iter().map(|argument| facts.refine(&mut self.domain.terms, *argument)).collect();
        self.function(name, &arguments)
    }
}
