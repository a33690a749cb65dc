//! What instructions calculate, of terms.

use crate::{
    insn::{Alu, Test},
    term::{Op, Term, Terms},
};

impl Terms {
    /// Of 64 bits, or of the lower 32 with zeros above.
    pub fn arithmetic(&mut self, op: Alu, width: u32, a: Term, b: Term) -> Term {
        let (a, b) = (self.slice(a, 0, width), self.slice(b, 0, width));
        let value = match op {
            Alu::Add => self.add(a, b),
            Alu::Sub => self.subtract(a, b),
            Alu::Neg => {
                let zero = self.constant(0, width);
                self.subtract(zero, a)
            }
            Alu::Mul => self.multiply(a, b),
            Alu::Div => self.divide(Op::Div, a, b),
            Alu::Mod => self.divide(Op::Mod, a, b),
            Alu::And => self.bitwise(Op::And, a, b),
            Alu::Or => self.bitwise(Op::Or, a, b),
            Alu::Xor => self.bitwise(Op::Xor, a, b),
            Alu::Shl => self.shift(Op::Shl, a, b),
            Alu::Shr => self.shift(Op::Shr, a, b),
            Alu::Sar => self.shift(Op::Sar, a, b),
            Alu::Mov => b,
        };
        self.zero_extend(value, 64)
    }

    /// A condition of all bits, or of the lower 32.
    pub fn compare(&mut self, test: Test, width: u32, a: Term, b: Term) -> Term {
        let (a, b) = (self.slice(a, 0, width), self.slice(b, 0, width));
        let (condition, opposite) = match test {
            Test::Equal => (self.equal(a, b), false),
            Test::NotEqual => (self.equal(a, b), true),
            Test::Less => (self.less(a, b), false),
            Test::GreaterEqual => (self.less(a, b), true),
            Test::Greater => (self.less(b, a), false),
            Test::LessEqual => (self.less(b, a), true),
            Test::SignedLess => (self.less_signed(a, b), false),
            Test::SignedGreaterEqual => (self.less_signed(a, b), true),
            Test::SignedGreater => (self.less_signed(b, a), false),
            Test::SignedLessEqual => (self.less_signed(b, a), true),
            Test::Bits => {
                let (common, zero) = (self.bitwise(Op::And, a, b), self.constant(0, width));
                (self.equal(common, zero), true)
            }
        };
        if opposite { self.not(condition) } else { condition }
    }
}
