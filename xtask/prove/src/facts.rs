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
    /// Terms that are one of a few numbers.
    values: HashMap<Term, Vec<u64>>,
    /// Whether bits have become known since terms were last rewritten.
    is_news: bool,
}

impl Facts {
    /// Takes note that a condition holds.
    pub fn learn(&mut self, terms: &Terms, condition: Term, holds: bool) {
        self.conditions.insert(condition, holds);
        match (terms.node(condition), holds) {
            (Node::Not(inner), _) => self.learn(terms, *inner, !holds),
            (Node::All(parts), false) => self.learn_one_of(terms, parts),
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

    /// One of these does not hold: numbers that each of the cases has for a term are all that it can be.
    fn learn_one_of(&mut self, terms: &Terms, parts: &[Term]) {
        let cases = parts.iter().map(|part| match terms.node(*part) {
            Node::Not(inner) => equalities(terms, *inner),
            _ => HashMap::new(),
        });
        let cases: Vec<HashMap<Term, u64>> = cases.collect();
        let Some(first) = cases.first() else { return };
        for term in first.keys() {
            let values: Option<Vec<u64>> = cases.iter().map(|case| case.get(term).copied()).collect();
            match values {
                Some(values) if values.iter().all(|value| *value == values[0]) => {
                    self.learn_value(terms, *term, values[0]);
                }
                Some(values) => {
                    self.values.insert(*term, values);
                }
                None => {}
            }
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
                // A large constant is one that is taken away.
                let whole = mask(terms.width(term));
                let less = if *constant > whole >> 1 { (whole - constant).wrapping_add(1) } else { 0 };
                let (mut least, mut most) = if less > 0 { (0, 0) } else { (*constant, *constant) };
                for (part, factor) in parts.iter() {
                    let (low, high) = self.range(terms, *part);
                    let ends = high.checked_mul(*factor).and_then(|high| most.checked_add(high));
                    let Some(high) = ends else { return all };
                    (least, most) = (least + low * factor, high);
                }
                if most <= whole && least >= less { (least - less, most - less) } else { all }
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
            Node::Equal(a, b) if self.is_another(terms, a, b) => Some(false),
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

    /// Whether a term is one of a few numbers, none of which is that.
    fn is_another(&self, terms: &Terms, term: Term, number: Term) -> bool {
        let (values, number) = (self.values.get(&term), terms.known(number));
        values.zip(number).is_some_and(|(values, number)| !values.contains(&number))
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

/// Which terms are which numbers where a condition holds.
fn equalities(terms: &Terms, condition: Term) -> HashMap<Term, u64> {
    match terms.node(condition) {
        Node::Equal(a, b) => terms.known(*b).map(|value| (*a, value)).into_iter().collect(),
        Node::All(parts) => parts.iter().flat_map(|part| equalities(terms, *part)).collect(),
        _ => HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(terms: &mut Terms, name: &str, value: u64) -> Term {
        let (unknown, value) = (terms.unknown(name, 8), terms.constant(value, 8));
        terms.equal(unknown, value)
    }

    #[test]
    fn one_of_a_few_numbers_is_no_other() {
        let (mut terms, mut facts) = (Terms::default(), Facts::default());
        let [six, seven, seventeen] = [6, 7, 17].map(|value| is(&mut terms, "a", value));
        let either = terms.any(&[six, seventeen]);
        facts.learn(&terms, either, true);
        assert_eq!([six, seven].map(|condition| facts.decide(&mut terms, condition)), [None, Some(false)]);
    }

    #[test]
    fn what_all_cases_have_in_common_is_known() {
        let (mut terms, mut facts) = (Terms::default(), Facts::default());
        let [a, b, c, other] =
            [("a", 1), ("a", 2), ("b", 3), ("b", 4)].map(|(name, value)| is(&mut terms, name, value));
        let cases = [terms.all(&[a, c]), terms.all(&[b, c])];
        let either = terms.any(&cases);
        facts.learn(&terms, either, true);
        assert_eq!([c, other].map(|condition| facts.decide(&mut terms, condition)), [Some(true), Some(false)]);
        // Of a case that says nothing of it, nothing is known.
        let (mut terms, mut facts) = (Terms::default(), Facts::default());
        let [a, b, c] = [("a", 1), ("b", 2), ("a", 3)].map(|(name, value)| is(&mut terms, name, value));
        let either = terms.any(&[a, b]);
        facts.learn(&terms, either, true);
        assert_eq!(facts.decide(&mut terms, c), None);
    }

    #[test]
    fn a_difference_has_a_range() {
        let (mut terms, mut facts) = (Terms::default(), Facts::default());
        let length = terms.unknown("length", 16);
        let [limit, least] = [24, 4].map(|value| terms.constant(value, 64));
        let wide = terms.zero_extend(length, 64);
        let rest = terms.sum(&[(wide, 1)], 20_u64.wrapping_neg(), 64);
        let (too_short, is_short) = (terms.less(wide, limit), terms.less(rest, least));
        assert_eq!(facts.decide(&mut terms, is_short), None);
        facts.learn(&terms, too_short, false);
        assert_eq!(facts.decide(&mut terms, is_short), Some(false));
    }
}
