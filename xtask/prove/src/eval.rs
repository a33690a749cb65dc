//! What a term is for values of the unknown.

use std::collections::HashMap;

use crate::{
    sum::{apply, signed},
    term::{Node, Term, Terms, mask},
};

/// Calculates terms. `leaf` says what an unknown is, what a function returns, or a table's byte at an address.
pub struct Evaluator<'a, F> {
    terms: &'a Terms,
    leaf: F,
    known: HashMap<Term, u64>,
}

impl<'a, F: FnMut(&Node, Option<u64>) -> u64> Evaluator<'a, F> {
    pub fn new(terms: &'a Terms, leaf: F) -> Self {
        Self { terms, leaf, known: HashMap::new() }
    }

    /// The value of a term; of a condition 0 or 1.
    pub fn value(&mut self, term: Term) -> u64 {
        if let Some(&value) = self.known.get(&term) {
            return value;
        }
        let value = self.calculate(term);
        self.known.insert(term, value);
        value
    }

    fn calculate(&mut self, term: Term) -> u64 {
        let width = self.terms.width(term);
        let node = self.terms.node(term);
        let value = match node {
            Node::Const(value) => return *value,
            Node::Unknown(_) | Node::Function { .. } => (self.leaf)(node, None),
            Node::Table { base, offset, .. } => {
                let address = self.value(*base).wrapping_add(*offset);
                (self.leaf)(node, Some(address))
            }
            Node::Slice { of, low } => self.value(*of) >> low,
            Node::Concat(parts) => {
                let (mut low, mut whole) = (0, 0);
                for part in parts.iter() {
                    whole |= self.value(*part) << low;
                    low += self.terms.width(*part);
                }
                whole
            }
            Node::Sum { parts, constant } => parts
                .iter()
                .fold(*constant, |sum, (part, factor)| sum.wrapping_add(self.value(*part).wrapping_mul(*factor))),
            Node::Apply(op, a, b) => apply(*op, self.value(*a), self.value(*b), width),
            Node::Choice(condition, a, b) => {
                let holds = self.value(*condition) == 1;
                self.value(if holds { *a } else { *b })
            }
            Node::Equal(a, b) => return u64::from(self.value(*a) == self.value(*b)),
            Node::Less(a, b) => return u64::from(self.value(*a) < self.value(*b)),
            Node::LessSigned(a, b) => {
                let width = self.terms.width(*a);
                return u64::from(signed(self.value(*a), width) < signed(self.value(*b), width));
            }
            Node::Not(inner) => return 1 - self.value(*inner),
            Node::All(parts) => return u64::from(parts.iter().all(|part| self.value(*part) == 1)),
        };
        value & mask(width)
    }
}
