//! Sums, products, remainders, and shifts by what is not known.

use std::collections::BTreeMap;

use crate::term::{Node, Op, Term, Terms, mask};

impl Terms {
    /// `constant` plus each term times its factor, modulo 2^width. Terms may be narrower: zeros are above them.
    pub fn sum(&mut self, parts: &[(Term, u64)], constant: u64, width: u32) -> Term {
        let (mut total, mut factors) = (constant, BTreeMap::new());
        for (part, factor) in parts {
            self.add_part(*part, *factor, width, &mut total, &mut factors);
        }
        let full = mask(width);
        let parts: Vec<_> = factors
            .into_iter()
            .map(|(term, factor)| (term, factor & full))
            .filter(|(_, factor)| *factor != 0)
            .collect();
        if let Some(term) = self.as_concat(&parts, total & full, width) {
            return term;
        }
        self.intern(Node::Sum { parts: parts.into(), constant: total & full }, width)
    }

    /// Takes a term apart into terms that are no sums and have no parts.
    fn add_part(&self, part: Term, factor: u64, width: u32, total: &mut u64, factors: &mut BTreeMap<Term, u64>) {
        match self.node(part) {
            Node::Const(value) => *total = total.wrapping_add(value.wrapping_mul(factor)),
            Node::Sum { parts, constant } if self.width(part) == width => {
                *total = total.wrapping_add(constant.wrapping_mul(factor));
                for (term, times) in parts.iter() {
                    self.add_part(*term, times.wrapping_mul(factor), width, total, factors);
                }
            }
            Node::Concat(parts) => {
                let mut low = 0;
                for part in parts.iter() {
                    self.add_part(*part, factor << low, width, total, factors);
                    low += self.width(*part);
                }
            }
            _ => {
                let sum = factors.entry(part).or_default();
                *sum = sum.wrapping_add(factor);
            }
        }
    }

    /// A sum whose terms have no bit in common, as one of parts.
    fn as_concat(&mut self, parts: &[(Term, u64)], constant: u64, width: u32) -> Option<Term> {
        let (mut used, mut places) = (constant, Vec::new());
        for (part, factor) in parts {
            let low = factor.trailing_zeros();
            if !factor.is_power_of_two() || low + self.width(*part) > width {
                return None;
            }
            let bits = mask(self.width(*part)) << low;
            if used & bits != 0 {
                return None;
            }
            used |= bits;
            places.push((low, *part));
        }
        places.sort_unstable();
        let (mut end, mut found) = (0, Vec::new());
        for (low, part) in places {
            if low > end {
                found.push(self.constant(constant >> end, low - end));
            }
            found.push(part);
            end = low + self.width(part);
        }
        if end < width {
            found.push(self.constant(constant >> end, width - end));
        }
        Some(self.concat(&found))
    }

    /// a + b.
    pub fn add(&mut self, a: Term, b: Term) -> Term {
        self.sum(&[(a, 1), (b, 1)], 0, self.width(a))
    }

    /// a − b.
    pub fn subtract(&mut self, a: Term, b: Term) -> Term {
        self.sum(&[(a, 1), (b, u64::MAX)], 0, self.width(a))
    }

    /// An address without what is added to it, and that.
    pub fn split_address(&mut self, address: Term) -> (Term, u64) {
        let width = self.width(address);
        match self.node(address).clone() {
            Node::Const(value) => (self.constant(0, width), value),
            Node::Sum { parts, constant } => (self.sum(&parts, 0, width), constant),
            Node::Concat(parts) => {
                let mut base = Vec::new();
                for part in parts.iter() {
                    let zeros = self.constant(0, self.width(*part));
                    base.push(if self.known(*part).is_some() { zeros } else { *part });
                }
                (self.concat(&base), self.offset(address))
            }
            _ => (address, 0),
        }
    }

    /// What is added to an address.
    pub fn offset(&self, address: Term) -> u64 {
        match self.node(address) {
            Node::Const(value) => *value,
            Node::Sum { constant, .. } => *constant,
            Node::Concat(parts) => {
                let (mut low, mut offset) = (0, 0);
                for part in parts.iter() {
                    offset |= self.known(*part).unwrap_or(0) << low;
                    low += self.width(*part);
                }
                offset
            }
            _ => 0,
        }
    }

    /// The product: calculated of constants and with powers of two only.
    pub fn multiply(&mut self, a: Term, b: Term) -> Term {
        let width = self.width(a);
        let (a, b) = if b < a { (b, a) } else { (a, b) };
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => self.constant(x.wrapping_mul(y), width),
            (Some(0), _) | (_, Some(0)) => self.constant(0, width),
            (Some(x), None) if x.is_power_of_two() => self.shift_left(b, x.trailing_zeros()),
            (None, Some(y)) if y.is_power_of_two() => self.shift_left(a, y.trailing_zeros()),
            _ => self.intern(Node::Apply(Op::Mul, a, b), width),
        }
    }

    /// Quotient or remainder: calculated of constants only. Division by 0 gives 0, and what is divided is its
    /// remainder.
    pub fn divide(&mut self, op: Op, a: Term, b: Term) -> Term {
        let width = self.width(a);
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => self.constant(apply(op, x, y, width), width),
            _ => self.intern(Node::Apply(op, a, b), width),
        }
    }

    /// Shifts by the lowest bits of `by`, as many as say a number below the width, which is 32 or 64.
    pub fn shift(&mut self, op: Op, a: Term, by: Term) -> Term {
        let width = self.width(a);
        let limit = self.constant(u64::from(width) - 1, width);
        let by = self.bitwise(Op::And, by, limit);
        let Some(count) = self.known(by) else { return self.intern(Node::Apply(op, a, by), width) };
        if let Some(value) = self.known(a) {
            return self.constant(apply(op, value, count, width), width);
        }
        match op {
            Op::Shl => self.shift_left(a, count as u32),
            Op::Shr => self.shift_right(a, count as u32),
            _ if count == 0 => a,
            // Without a sign there is nothing to keep.
            _ if self.most(a) >> (width - 1) & 1 == 0 => self.shift_right(a, count as u32),
            _ => self.intern(Node::Apply(op, a, by), width),
        }
    }
}

/// What an operation gives.
pub fn apply(op: Op, a: u64, b: u64, width: u32) -> u64 {
    let value = match op {
        Op::Mul => a.wrapping_mul(b),
        Op::Div => a.checked_div(b).unwrap_or(0),
        Op::Mod => a.checked_rem(b).unwrap_or(a),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => a << b,
        Op::Shr => a >> b,
        Op::Sar => (signed(a, width) >> b) as u64,
    };
    value & mask(width)
}

/// The number as a signed one.
pub const fn signed(value: u64, width: u32) -> i64 {
    ((value << (64 - width)) as i64) >> (64 - width)
}
