//! Terms as text in SMT-LIB 2.

use crate::term::{Node, Op, Term, Terms, mask};

/// What a term is called.
pub fn name(terms: &Terms, term: Term) -> String {
    match terms.known(term) {
        Some(value) => constant(value, terms.width(term)),
        None => format!("t{}", term.number()),
    }
}

fn constant(value: u64, width: u32) -> String {
    match width {
        0 if value == 0 => "false".into(),
        0 => "true".into(),
        _ => format!("(_ bv{value} {width})"),
    }
}

/// A type.
pub fn sort(width: u32) -> String {
    if width == 0 { "Bool".into() } else { format!("(_ BitVec {width})") }
}

/// Something that is any value, or any function: what it is called, and of what widths its arguments and value are.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Function {
    pub name: String,
    pub arguments: Vec<u32>,
    pub value: u32,
}

/// The functions that a term's definition names.
pub fn functions(terms: &Terms, term: Term) -> Vec<Function> {
    let width = terms.width(term);
    match terms.node(term) {
        Node::Unknown(name) => vec![Function { name: format!("|{name}|"), arguments: Vec::new(), value: width }],
        Node::Table { table, offset, base } => {
            vec![Function { name: table_name(table, *offset), arguments: vec![terms.width(*base)], value: width }]
        }
        Node::Function { name, arguments } => {
            let arguments = arguments.iter().map(|argument| terms.width(*argument)).collect();
            vec![Function { name: format!("|{name}|"), arguments, value: width }]
        }
        Node::Apply(op @ (Op::Mul | Op::Div | Op::Mod), ..) => vec![operation(*op, width)],
        Node::Sum { parts, .. } if parts.iter().any(|(_, factor)| !is_plain(*factor, width)) => {
            vec![operation(Op::Mul, width)]
        }
        _ => Vec::new(),
    }
}

/// Bytes of a table at one distance from some base. Those at others are functions of their own, so what is known is
/// that the same base and distance give the same byte, and nothing else.
fn table_name(table: &str, offset: u64) -> String {
    format!("|{table}+{offset}|")
}

fn operation(op: Op, width: u32) -> Function {
    let name = match op {
        Op::Mul => "product",
        Op::Div => "quotient",
        _ => "remainder",
    };
    Function { name: format!("{name}{width}"), arguments: vec![width, width], value: width }
}

/// Factors that are no multiplication: powers of two and their negatives.
const fn is_plain(factor: u64, width: u32) -> bool {
    factor.is_power_of_two() || negative(factor, width).is_power_of_two()
}

const fn negative(factor: u64, width: u32) -> u64 {
    factor.wrapping_neg() & mask(width)
}

/// A part of a sum.
fn product(terms: &Terms, part: Term, factor: u64, width: u32) -> String {
    let above = width - terms.width(part);
    let name = name(terms, part);
    let whole = if above == 0 { name } else { format!("((_ zero_extend {above}) {name})") };
    let shifted = |by: u32| match by {
        0 => whole.clone(),
        by => format!("(bvshl {whole} {})", constant(by.into(), width)),
    };
    match factor {
        factor if factor.is_power_of_two() => shifted(factor.trailing_zeros()),
        factor if is_plain(factor, width) => format!("(bvneg {})", shifted(negative(factor, width).trailing_zeros())),
        factor => format!("(product{width} {} {whole})", constant(factor, width)),
    }
}

/// What a term is, by the names of its arguments.
pub fn definition(terms: &Terms, term: Term) -> String {
    let width = terms.width(term);
    let name = |term: &Term| name(terms, *term);
    match terms.node(term) {
        Node::Const(value) => constant(*value, width),
        Node::Unknown(unknown) => format!("|{unknown}|"),
        Node::Table { table, base, offset } => format!("({} {})", table_name(table, *offset), name(base)),
        Node::Function { name: function, arguments } => {
            format!("(|{function}| {})", arguments.iter().map(name).collect::<Vec<_>>().join(" "))
        }
        Node::Slice { of, low } => format!("((_ extract {} {low}) {})", low + width - 1, name(of)),
        Node::Concat(parts) => {
            let mut whole = name(&parts[0]);
            for part in &parts[1..] {
                whole = format!("(concat {} {whole})", name(part));
            }
            whole
        }
        Node::Sum { parts, constant: start } => {
            let mut whole = constant(*start, width);
            for (part, factor) in parts.iter() {
                let product = product(terms, *part, *factor, width);
                whole = format!("(bvadd {product} {whole})");
            }
            whole
        }
        Node::Apply(op, a, b) => {
            let (a, b) = (name(a), name(b));
            match op {
                Op::Mul | Op::Div | Op::Mod => format!("({} {a} {b})", operation(*op, width).name),
                Op::And => format!("(bvand {a} {b})"),
                Op::Or => format!("(bvor {a} {b})"),
                Op::Xor => format!("(bvxor {a} {b})"),
                Op::Shl => format!("(bvshl {a} {b})"),
                Op::Shr => format!("(bvlshr {a} {b})"),
                Op::Sar => format!("(bvashr {a} {b})"),
            }
        }
        Node::Choice(condition, a, b) => format!("(ite {} {} {})", name(condition), name(a), name(b)),
        Node::Equal(a, b) => format!("(= {} {})", name(a), name(b)),
        Node::Less(a, b) => format!("(bvult {} {})", name(a), name(b)),
        Node::LessSigned(a, b) => format!("(bvslt {} {})", name(a), name(b)),
        Node::Not(inner) => format!("(not {})", name(inner)),
        Node::All(parts) => format!("(and {})", parts.iter().map(name).collect::<Vec<_>>().join(" ")),
    }
}
