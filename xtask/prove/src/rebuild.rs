//! A term made again of other arguments.

use crate::term::{Node, Op, Term, Terms};

impl Terms {
    /// The same of these arguments, which are in the order of [`Terms::arguments`] and as wide.
    pub fn rebuild(&mut self, term: Term, arguments: &[Term]) -> Term {
        let width = self.width(term);
        let node = self.node(term).clone();
        match (node, arguments) {
            (Node::Const(_) | Node::Unknown(_), _) => term,
            (Node::Table { table, offset, .. }, [base]) => {
                let address = self.sum(&[(*base, 1)], offset, self.width(*base));
                self.table_byte(&table, address)
            }
            (Node::Function { name, .. }, _) => self.function(&name, arguments),
            (Node::Slice { low, .. }, [of]) => self.slice(*of, low, width),
            (Node::Concat(_), _) => self.concat(arguments),
            (Node::Sum { parts, constant }, _) => {
                let parts: Vec<_> =
                    arguments.iter().zip(parts.iter()).map(|(one, (_, factor))| (*one, *factor)).collect();
                self.sum(&parts, constant, width)
            }
            (Node::Apply(op, ..), [a, b]) => match op {
                Op::Mul => self.multiply(*a, *b),
                Op::Div | Op::Mod => self.divide(op, *a, *b),
                Op::And | Op::Or | Op::Xor => self.bitwise(op, *a, *b),
                Op::Shl | Op::Shr | Op::Sar => self.shift(op, *a, *b),
            },
            (Node::Choice(..), [condition, a, b]) => self.choice(*condition, *a, *b),
            (Node::Equal(..), [a, b]) => self.equal(*a, *b),
            (Node::Less(..), [a, b]) => self.less(*a, *b),
            (Node::LessSigned(..), [a, b]) => self.less_signed(*a, *b),
            (Node::Not(_), [inner]) => self.not(*inner),
            (Node::All(_), _) => self.all(arguments),
            (node, _) => unreachable!("{node:?} of {} arguments", arguments.len()),
        }
    }
}
