//! Conditions: terms of width 0.

use std::collections::BTreeSet;

use crate::{
    sum::signed,
    term::{Node, Op, Term, Terms, mask},
};

impl Terms {
    /// A condition that holds, or one that does not.
    pub fn truth(&mut self, holds: bool) -> Term {
        self.intern(Node::Const(holds.into()), 0)
    }

    /// Whether it holds, if that is known.
    pub fn is_true(&self, condition: Term) -> Option<bool> {
        self.known(condition).map(|value| value != 0)
    }

    /// The opposite.
    pub fn not(&mut self, condition: Term) -> Term {
        match *self.node(condition) {
            Node::Const(value) => self.truth(value == 0),
            Node::Not(inner) => inner,
            _ => self.intern(Node::Not(condition), 0),
        }
    }

    /// All of these hold.
    pub fn all(&mut self, conditions: &[Term]) -> Term {
        let mut parts = BTreeSet::new();
        for &condition in conditions {
            match self.node(condition) {
                Node::Const(0) => return condition,
                Node::Const(_) => {}
                Node::All(inner) => parts.extend(inner.iter().copied()),
                _ => {
                    parts.insert(condition);
                }
            }
        }
        match parts.len() {
            0 => self.truth(true),
            1 => parts.pop_first().expect("there is one"),
            _ => self.intern(Node::All(parts.into_iter().collect()), 0),
        }
    }

    /// One of these holds, or several.
    pub fn any(&mut self, conditions: &[Term]) -> Term {
        let opposites: Vec<_> = conditions.iter().map(|condition| self.not(*condition)).collect();
        let none = self.all(&opposites);
        self.not(none)
    }

    /// The first of two terms of one width where a condition holds, else the second.
    pub fn choice(&mut self, condition: Term, a: Term, b: Term) -> Term {
        assert_eq!(self.width(a), self.width(b), "both are as wide");
        match *self.node(condition) {
            Node::Const(value) => return if value == 0 { b } else { a },
            Node::Not(inner) => return self.choice(inner, b, a),
            _ => {}
        }
        if a == b { a } else { self.intern(Node::Choice(condition, a, b), self.width(a)) }
    }

    /// a = b.
    pub fn equal(&mut self, a: Term, b: Term) -> Term {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "both sides are as wide");
        if a == b {
            return self.truth(true);
        }
        let (a, b) = if self.known(a).is_some() || self.known(b).is_none() && b < a { (b, a) } else { (a, b) };
        if self.known(a).is_some() {
            return self.truth(false);
        }
        let is_sum = |terms: &Self, term| matches!(terms.node(term), Node::Sum { .. });
        let has_parts = |terms: &Self, term| matches!(terms.node(term), Node::Concat(_));
        if is_sum(self, a) || is_sum(self, b) {
            return self.equal_sums(a, b);
        }
        if has_parts(self, a) || has_parts(self, b) {
            return self.equal_parts(a, b);
        }
        match (self.node(a).clone(), self.known(b)) {
            (Node::Apply(Op::Xor, x, y), Some(0)) => self.equal(x, y),
            (Node::Apply(Op::Xor, x, y), Some(value)) if self.known(y).is_some() => {
                let other = self.known(y).unwrap_or_default() ^ value;
                let other = self.constant(other, width);
                self.equal(x, other)
            }
            (Node::Apply(Op::Or, x, y), Some(0)) => {
                let (x, y) = (self.equal(x, b), self.equal(y, b));
                self.all(&[x, y])
            }
            // One form for a bit.
            (_, Some(1)) if width == 1 => {
                let zero = self.constant(0, 1);
                let is_zero = self.intern(Node::Equal(a, zero), 0);
                self.not(is_zero)
            }
            _ => self.intern(Node::Equal(a, b), 0),
        }
    }

    fn equal_parts(&mut self, a: Term, b: Term) -> Term {
        let mut bounds = self.bounds(a);
        bounds.extend(self.bounds(b));
        bounds.sort_unstable();
        bounds.dedup();
        let (mut low, mut conditions) = (0, Vec::new());
        for high in bounds {
            let (one, other) = (self.slice(a, low, high - low), self.slice(b, low, high - low));
            conditions.push(self.equal(one, other));
            low = high;
        }
        self.all(&conditions)
    }

    /// By the difference, with the constant on one side and the rest on the other.
    fn equal_sums(&mut self, a: Term, b: Term) -> Term {
        let width = self.width(a);
        let difference = self.subtract(a, b);
        if let Some(value) = self.known(difference) {
            return self.truth(value == 0);
        }
        let (mut rest, mut constant) = self.split_address(difference);
        // One form for a difference and its negative.
        let is_negative = |factor: u64| factor >> (width - 1) & 1 == 1;
        if let Node::Sum { parts, .. } = self.node(rest).clone()
            && parts.first().is_some_and(|(_, factor)| is_negative(*factor))
        {
            let zero = self.constant(0, width);
            rest = self.subtract(zero, rest);
            constant = constant.wrapping_neg();
        }
        let value = self.constant(constant.wrapping_neg(), width);
        if matches!(self.node(rest), Node::Sum { .. }) {
            return self.intern(Node::Equal(rest, value), 0);
        }
        self.equal(rest, value)
    }

    /// a < b.
    pub fn less(&mut self, a: Term, b: Term) -> Term {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "both sides are as wide");
        if a == b {
            return self.truth(false);
        }
        let (least_a, least_b) = (self.known(a).unwrap_or(0), self.known(b).unwrap_or(0));
        let (most_a, most_b) = (self.most(a), self.most(b));
        if most_a < least_b {
            return self.truth(true);
        }
        if least_a >= most_b {
            return self.truth(false);
        }
        // Zeros above on both sides say nothing.
        let needed = 64 - (most_a | most_b).leading_zeros();
        if needed < width {
            let (a, b) = (self.slice(a, 0, needed), self.slice(b, 0, needed));
            return self.less(a, b);
        }
        match (self.known(a), self.known(b)) {
            (Some(value), None) => {
                let next = self.constant(value + 1, width);
                let less = self.less(b, next);
                self.not(less)
            }
            (None, Some(1)) => {
                let zero = self.constant(0, width);
                self.equal(a, zero)
            }
            _ => self.intern(Node::Less(a, b), 0),
        }
    }

    /// a < b as signed numbers.
    pub fn less_signed(&mut self, a: Term, b: Term) -> Term {
        let width = self.width(a);
        if let (Some(x), Some(y)) = (self.known(a), self.known(b)) {
            return self.truth(signed(x, width) < signed(y, width));
        }
        if self.most(a).max(self.most(b)) <= mask(width) >> 1 {
            return self.less(a, b);
        }
        if a == b {
            return self.truth(false);
        }
        self.intern(Node::LessSigned(a, b), 0)
    }
}
