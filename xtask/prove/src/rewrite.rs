//! Terms made again of what is known by now, so that both paths' terms are the same although one was made before.

use std::collections::HashMap;

use crate::{
    facts::Facts,
    term::{Node, Term, Terms},
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
        let arguments = terms.arguments(term);
        let arguments: Vec<_> = arguments.into_iter().map(|argument| self.rewrite(terms, facts, argument)).collect();
        terms.rebuild(term, &arguments)
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
