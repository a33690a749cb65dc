//! Terms made again of what is known by now, so that both paths' terms are the same although one was made before.

use std::collections::HashMap;

use crate::{
    facts::Facts,
    term::{Node, Op, Term, Terms},
};

/// Rewrites terms by one set of facts.
#[derive(Debug, Default)]
pub struct Rewriter {
    done: HashMap<Term, Term>,
}

impl Rewriter {
    /// The same with all that is known put in.
    pub fn rewrite(&mut self, terms: &mut Terms, facts: &Facts, term: Term) -> Term {
        if let Some(&done) = self.done.get(&term) {
            return done;
        }
        let again = match terms.node(term) {
            Node::Slice { of, low } => {
                let (of, low, width) = (*of, *low, terms.width(term));
                let of = self.rewrite(terms, facts, of);
                terms.slice(of, low, width)
            }
            _ if terms.width(term) == 0 => self.rewrite_arguments(terms, facts, term),
            _ => {
                // What is known of the term as it was holds of it as it is then.
                let known = facts.refine_bits(terms, term, 0, terms.width(term));
                if terms.known(known).is_some() { known } else { self.rewrite_arguments(terms, facts, term) }
            }
        };
        let again = if terms.width(again) == 0 { again } else { facts.refine(terms, again) };
        self.done.insert(term, again);
        again
    }

    /// The same made of rewritten arguments.
    pub fn rewrite_arguments(&mut self, terms: &mut Terms, facts: &Facts, term: Term) -> Term {
        let width = terms.width(term);
        let node = terms.node(term).clone();
        let mut one = |terms: &mut Terms, term: Term| self.rewrite(terms, facts, term);
        match node {
            Node::Const(_) | Node::Unknown(_) => term,
            Node::Table { table, base, offset } => {
                let base = one(terms, base);
                let address = terms.sum(&[(base, 1)], offset, terms.width(base));
                terms.table_byte(&table, address)
            }
            Node::Function { name, arguments } => {
                let arguments: Vec<_> = arguments.iter().map(|argument| one(terms, *argument)).collect();
                terms.function(&name, &arguments)
            }
            Node::Slice { of, low } => {
                let of = one(terms, of);
                terms.slice(of, low, width)
            }
            Node::Concat(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| one(terms, *part)).collect();
                terms.concat(&parts)
            }
            Node::Sum { parts, constant } => {
                let parts: Vec<_> = parts.iter().map(|(part, factor)| (one(terms, *part), *factor)).collect();
                terms.sum(&parts, constant, width)
            }
            Node::Apply(op, a, b) => {
                let (a, b) = (one(terms, a), one(terms, b));
                match op {
                    Op::Mul => terms.multiply(a, b),
                    Op::Div | Op::Mod => terms.divide(op, a, b),
                    Op::And | Op::Or | Op::Xor => terms.bitwise(op, a, b),
                    Op::Shl | Op::Shr | Op::Sar => terms.shift(op, a, b),
                }
            }
            Node::Equal(a, b) => {
                let (a, b) = (one(terms, a), one(terms, b));
                terms.equal(a, b)
            }
            Node::Less(a, b) => {
                let (a, b) = (one(terms, a), one(terms, b));
                terms.less(a, b)
            }
            Node::LessSigned(a, b) => {
                let (a, b) = (one(terms, a), one(terms, b));
                terms.less_signed(a, b)
            }
            Node::Not(inner) => {
                let inner = one(terms, inner);
                terms.not(inner)
            }
            Node::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| one(terms, *part)).collect();
                terms.all(&parts)
            }
        }
    }
}

impl Facts {
    /// The same facts about rewritten terms.
    pub fn rewrite(&mut self, terms: &mut Terms, rewriter: &mut Rewriter) {
        let conditions = std::mem::take(&mut self.conditions);
        for (condition, holds) in conditions {
            let condition = rewriter.rewrite(terms, self, condition);
            if terms.known(condition).is_none() {
                self.conditions.insert(condition, holds);
            }
        }
        for (term, range) in std::mem::take(&mut self.ranges) {
            let term = rewriter.rewrite(terms, self, term);
            if terms.known(term).is_none() {
                self.ranges.insert(term, range);
            }
        }
        for (term, bits) in self.bits.clone() {
            let term = rewriter.rewrite_arguments(terms, self, term);
            if !matches!(terms.node(term), Node::Const(_) | Node::Concat(_) | Node::Slice { .. }) {
                self.bits.entry(term).or_insert(bits);
            }
        }
    }
}
