//! Terms by their bits: slices, concatenations, shifts by constants, and, or, xor.

use crate::{
    sum::apply,
    term::{Node, Op, Term, Terms, mask},
};

impl Terms {
    /// The parts of a term, the lowest bits first.
    pub fn parts(&self, term: Term) -> Vec<Term> {
        if let Node::Concat(parts) = self.node(term) { parts.to_vec() } else { vec![term] }
    }

    /// `width` bits from `low`.
    pub fn slice(&mut self, term: Term, low: u32, width: u32) -> Term {
        let whole = self.width(term);
        assert!(width > 0 && low + width <= whole, "{width} bits from {low} of {whole}");
        if width == whole {
            return term;
        }
        match self.node(term).clone() {
            Node::Const(value) => self.constant(value >> low, width),
            Node::Slice { of, low: lower } => self.slice(of, lower + low, width),
            Node::Concat(parts) => self.slice_parts(&parts, low, width),
            Node::Apply(op @ (Op::And | Op::Or | Op::Xor), a, b) => {
                let (a, b) = (self.slice(a, low, width), self.slice(b, low, width));
                self.bitwise(op, a, b)
            }
            // The lowest bits of a sum are the sum of the lowest bits.
            Node::Sum { parts, constant } if low == 0 => {
                let lowest = |terms: &mut Self, part| terms.slice(part, 0, width.min(terms.width(part)));
                let parts: Vec<_> = parts.iter().map(|(part, factor)| (lowest(self, *part), *factor)).collect();
                self.sum(&parts, constant, width)
            }
            _ => self.intern(Node::Slice { of: term, low }, width),
        }
    }

    fn slice_parts(&mut self, parts: &[Term], low: u32, width: u32) -> Term {
        let (mut start, mut found) = (0, Vec::new());
        for &part in parts {
            let end = start + self.width(part);
            let (from, to) = (start.max(low), end.min(low + width));
            if from < to {
                found.push(self.slice(part, from - start, to - from));
            }
            start = end;
        }
        self.concat(&found)
    }

    /// These one above the other, the lowest bits first.
    pub fn concat(&mut self, parts: &[Term]) -> Term {
        let mut joined: Vec<Term> = Vec::new();
        for part in parts.iter().flat_map(|part| self.parts(*part)).collect::<Vec<_>>() {
            match joined.last().and_then(|last| self.join(*last, part)) {
                Some(both) => *joined.last_mut().expect("there is one") = both,
                None => joined.push(part),
            }
        }
        if let [one] = joined[..] {
            return one;
        }
        let width = joined.iter().map(|part| self.width(*part)).sum();
        self.intern(Node::Concat(joined.into()), width)
    }

    /// Two neighbours as one.
    fn join(&mut self, lower: Term, upper: Term) -> Option<Term> {
        let (below, above) = (self.width(lower), self.width(upper));
        match (self.node(lower), self.node(upper)) {
            (Node::Const(a), Node::Const(b)) => {
                let value = a | b << below;
                Some(self.constant(value, below + above))
            }
            (Node::Slice { of, low }, Node::Slice { of: other, low: next }) if of == other && low + below == *next => {
                let (of, low) = (*of, *low);
                Some(self.slice(of, low, below + above))
            }
            // The lowest bits of a sum are a sum of their own.
            (_, Node::Slice { of, low }) if *low == below && matches!(self.node(*of), Node::Sum { .. }) => {
                let of = *of;
                (self.slice(of, 0, below) == lower).then(|| self.slice(of, 0, below + above))
            }
            _ => None,
        }
    }

    /// With zeros above.
    pub fn zero_extend(&mut self, term: Term, width: u32) -> Term {
        let above = width - self.width(term);
        if above == 0 {
            return term;
        }
        let zeros = self.constant(0, above);
        self.concat(&[term, zeros])
    }

    /// Shifted to the left by a constant below the width.
    pub fn shift_left(&mut self, term: Term, by: u32) -> Term {
        let width = self.width(term);
        if by == 0 {
            return term;
        }
        let (zeros, kept) = (self.constant(0, by), self.slice(term, 0, width - by));
        self.concat(&[zeros, kept])
    }

    /// Shifted to the right by a constant below the width.
    pub fn shift_right(&mut self, term: Term, by: u32) -> Term {
        let width = self.width(term);
        if by == 0 {
            return term;
        }
        let kept = self.slice(term, by, width - by);
        self.zero_extend(kept, width)
    }

    /// And, or, xor: part by part where one side has parts.
    pub fn bitwise(&mut self, op: Op, a: Term, b: Term) -> Term {
        let width = self.width(a);
        assert_eq!(width, self.width(b), "both sides are as wide");
        let mut bounds = self.bounds(a);
        bounds.extend(self.bounds(b));
        for side in [a, b] {
            if let (Some(value), true) = (self.known(side), op != Op::Xor) {
                bounds.extend((1..width).filter(|bit| (value >> bit ^ value >> (bit - 1)) & 1 == 1));
            }
        }
        bounds.sort_unstable();
        bounds.dedup();
        let (mut low, mut parts) = (0, Vec::new());
        for high in bounds {
            let (one, other) = (self.slice(a, low, high - low), self.slice(b, low, high - low));
            parts.push(self.bitwise_part(op, one, other));
            low = high;
        }
        self.concat(&parts)
    }

    /// Where its parts end.
    pub fn bounds(&self, term: Term) -> Vec<u32> {
        let mut end = 0;
        let ends = self.parts(term).into_iter().map(|part| {
            end += self.width(part);
            end
        });
        ends.collect()
    }

    /// All sides of nested operations in one order, constants together, those that are there twice once or not at all.
    fn bitwise_part(&mut self, op: Op, a: Term, b: Term) -> Term {
        let width = self.width(a);
        let ones = mask(width);
        let mut constant = if op == Op::And { ones } else { 0 };
        let (mut sides, mut work) = (Vec::new(), vec![a, b]);
        while let Some(side) = work.pop() {
            match *self.node(side) {
                Node::Apply(inner, a, b) if inner == op => work.extend([a, b]),
                Node::Const(value) => constant = apply(op, constant, value, width),
                _ => sides.push(side),
            }
        }
        sides.sort_unstable();
        let mut kept: Vec<Term> = Vec::new();
        for side in sides {
            match (kept.last() == Some(&side), op) {
                (true, Op::Xor) => drop(kept.pop()),
                (true, _) => {}
                (false, _) => kept.push(side),
            }
        }
        let absorbs = (op == Op::And && constant == 0) || (op == Op::Or && constant == ones);
        let is_nothing = constant == if op == Op::And { ones } else { 0 };
        let constant = self.constant(constant, width);
        let mut kept = kept.into_iter();
        let Some(first) = kept.next().filter(|_| !absorbs) else { return constant };
        let nested = kept.fold(first, |whole, side| self.intern(Node::Apply(op, whole, side), width));
        if is_nothing { nested } else { self.intern(Node::Apply(op, nested, constant), width) }
    }

    /// The bits of a term that are zeros in any case, as the number that they leave possible at most.
    pub fn most(&self, term: Term) -> u64 {
        let width = self.width(term);
        match self.node(term) {
            Node::Const(value) => *value,
            Node::Concat(parts) => {
                let mut low = 0;
                let mut most = 0;
                for part in parts.iter() {
                    most |= self.most(*part) << low;
                    low += self.width(*part);
                }
                most
            }
            Node::Sum { parts, constant } => {
                let each = parts.iter().map(|(part, factor)| self.most(*part).checked_mul(*factor));
                let total = each.chain([Some(*constant)]).try_fold(0_u64, |total, each| total.checked_add(each?));
                total.filter(|total| *total <= mask(width)).unwrap_or(mask(width))
            }
            _ => mask(width),
        }
    }
}
