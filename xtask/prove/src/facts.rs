//! What is known on a path without asking: bits, ranges, and conditions that hold or do not.

use std::collections::HashMap;

use crate::term::{Node, Term, Terms, mask};

/// How often a condition is made again of what is known. Two forms of one term may turn into each other for ever; what
/// is not decided by then is asked.
const ROUNDS: u32 = 8;

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Which bits of a term are known, and what they are.
    pub bits: HashMap<Term, (u64, u64)>,
    pub ranges: HashMap<Term, (u64, u64)>,
    pub conditions: HashMap<Term, bool>,
    /// Whether bits have become known since terms were last rewritten.
    is_news: bool,
}

impl Facts {
    /// Takes note that a condition holds.
    pub fn learn(&mut self, terms: &Terms, condition: Term, holds: bool) {
        self.conditions.insert(condition, holds);
        match (terms.node(condition), holds) {
            (Node::Not(inner), _) => self.learn(terms, *inner, !holds),
            (Node::All(parts), true) => parts.iter().for_each(|part| self.learn(terms, *part, true)),
            (Node::Equal(a, b), true) => {
                if let Some(value) = terms.known(*b) {
                    self.learn_value(terms, *a, value);
                }
            }
            // The other value of a bit.
            (Node::Equal(a, b), false) if terms.width(*a) == 1 => {
                if let Some(value) = terms.known(*b) {
                    self.learn_value(terms, *a, 1 - value);
                }
            }
            (Node::Less(a, b), _) => self.learn_order(terms, *a, *b, holds),
            _ => {}
        }
    }

    fn learn_value(&mut self, terms: &Terms, term: Term, value: u64) {
        let mut low = 0;
        for part in terms.parts(term) {
            let width = terms.width(part);
            let value = value >> low & mask(width);
            let (of, shift) = if let Node::Slice { of, low } = terms.node(part) { (*of, *low) } else { (part, 0) };
            if !matches!(terms.node(of), Node::Const(_)) {
                let (known, bits) = self.bits.entry(of).or_default();
                self.is_news |= *known & mask(width) << shift != mask(width) << shift;
                *known |= mask(width) << shift;
                *bits = *bits & !(mask(width) << shift) | value << shift;
            }
            low += width;
        }
    }

    fn learn_order(&mut self, terms: &Terms, a: Term, b: Term, less: bool) {
        let ((least_a, most_a), (least_b, most_b)) = (self.range(terms, a), self.range(terms, b));
        let (new_a, new_b) = if less {
            ((least_a, most_a.min(most_b.saturating_sub(1))), (least_b.max(least_a.saturating_add(1)), most_b))
        } else {
            ((least_a.max(least_b), most_a), (least_b, most_b.min(most_a)))
        };
        for (term, range) in [(a, new_a), (b, new_b)] {
            if terms.known(term).is_none() {
                self.ranges.insert(term, range);
            }
        }
    }

    /// Between which numbers a term is.
    pub fn range(&self, terms: &Terms, term: Term) -> (u64, u64) {
        if let Some(value) = terms.known(term) {
            return (value, value);
        }
        if let Some(range) = self.ranges.get(&term) {
            return *range;
        }
        let all = (0, terms.most(term));
        match terms.node(term) {
            // Zeros above change nothing.
            Node::Concat(parts) if parts.len() == 2 && terms.known(parts[1]) == Some(0) => self.range(terms, parts[0]),
            Node::Sum { parts, constant } => {
                let (mut least, mut most) = (*constant, *constant);
                for (part, factor) in parts.iter() {
                    let (low, high) = self.range(terms, *part);
                    let ends = high.checked_mul(*factor).and_then(|high| most.checked_add(high));
                    let Some(high) = ends else { return all };
                    (least, most) = (least + low * factor, high);
                }
                if most <= mask(terms.width(term)) { (least, most) } else { all }
            }
            _ => all,
        }
    }

    /// The same with bits that are known.
    pub fn refine(&self, terms: &mut Terms, term: Term) -> Term {
        match terms.node(term).clone() {
            Node::Const(_) => term,
            Node::Concat(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.refine(terms, *part)).collect();
                terms.concat(&parts)
            }
            Node::Slice { of, low } => self.refine_bits(terms, of, low, terms.width(term)),
            Node::Sum { parts, constant } => {
                let parts: Vec<_> = parts.iter().map(|(part, factor)| (self.refine(terms, *part), *factor)).collect();
                let width = terms.width(term);
                terms.sum(&parts, constant, width)
            }
            _ => self.refine_bits(terms, term, 0, terms.width(term)),
        }
    }

    pub fn refine_bits(&self, terms: &mut Terms, of: Term, low: u32, width: u32) -> Term {
        let Some((known, value)) = self.bits.get(&of) else { return terms.slice(of, low, width) };
        let (known, value) = (known >> low, value >> low);
        let (mut start, mut parts) = (0, Vec::new());
        while start < width {
            let run = if known >> start & 1 == 1 {
                (known >> start).trailing_ones()
            } else {
                (known >> start).trailing_zeros()
            };
            let run = run.min(width - start);
            parts.push(match known >> start & 1 {
                1 => terms.constant(value >> start, run),
                _ => terms.slice(of, low + start, run),
            });
            start += run;
        }
        terms.concat(&parts)
    }

    /// Whether terms should be rewritten; asked once for each piece of news.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// Whether a condition holds, if that is known.
    pub fn decide(&self, terms: &mut Terms, condition: Term) -> Option<bool> {
        self.decide_within(terms, condition, ROUNDS)
    }

    fn decide_within(&self, terms: &mut Terms, condition: Term, rounds: u32) -> Option<bool> {
        if let Some(holds) = terms.is_true(condition).or_else(|| self.conditions.get(&condition).copied()) {
            return Some(holds);
        }
        match terms.node(condition).clone() {
            Node::Not(inner) => self.decide_within(terms, inner, rounds).map(|holds| !holds),
            Node::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.decide_within(terms, *part, rounds)).collect();
                if parts.contains(&Some(false)) {
                    return Some(false);
                }
                parts.iter().all(|part| *part == Some(true)).then_some(true)
            }
            Node::Equal(a, b) => self.decide_again(terms, condition, (a, b), Terms::equal, rounds),
            Node::Less(a, b) => {
                let ((least_a, most_a), (least_b, most_b)) = (self.range(terms, a), self.range(terms, b));
                match () {
                    () if most_a < least_b => Some(true),
                    () if least_a >= most_b => Some(false),
                    () => self.decide_again(terms, condition, (a, b), Terms::less, rounds),
                }
            }
            Node::LessSigned(a, b) => self.decide_again(terms, condition, (a, b), Terms::less_signed, rounds),
            _ => None,
        }
    }

    /// The same of terms whose known bits are put in.
    fn decide_again(
        &self,
        terms: &mut Terms,
        condition: Term,
        (a, b): (Term, Term),
        make: fn(&mut Terms, Term, Term) -> Term,
        rounds: u32,
    ) -> Option<bool> {
        let (a, b) = (self.refine(terms, a), self.refine(terms, b));
        let again = make(terms, a, b);
        if again == condition || rounds == 0 { None } else { self.decide_within(terms, again, rounds - 1) }
    }
}
