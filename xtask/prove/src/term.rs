//! Terms: what is calculated with values that are not known, as a graph in which equal terms are the same node.
//!
//! A term has 1 to 64 bits; one of width 0 is a condition. Nodes are made by the functions of [`crate::bits`],
//! [`crate::sum`] and [`crate::compare`], which bring them into one form, so that most terms that are equal are the
//! same.

use std::{collections::HashMap, rc::Rc};

/// A node of the graph.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Term(u32);

impl Term {
    /// Arguments have smaller numbers than what is made of them.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What two terms of one width give.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Op {
    /// Not calculated unless both sides are known: any number, but the same for the same arguments.
    Mul,
    /// The same.
    Div,
    /// The same.
    Mod,
    And,
    Or,
    Xor,
    /// Shifts by a number below the width.
    Shl,
    Shr,
    Sar,
}

/// What a term is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Node {
    Const(u64),
    /// Any value.
    Unknown(Rc<str>),
    /// A table's byte at `base + offset` as it was before the program ran: any value, the same for the same place.
    Table {
        table: Rc<str>,
        base: Term,
        offset: u64,
    },
    /// What a function of the program returns: any value, the same for the same arguments.
    Function {
        name: Rc<str>,
        arguments: Rc<[Term]>,
    },
    /// Bits from `low` of something that is no concatenation.
    Slice {
        of: Term,
        low: u32,
    },
    /// Parts, the lowest bits first; no part is a concatenation, and no two neighbours are constants or slices that
    /// could be one.
    Concat(Rc<[Term]>),
    /// `constant` plus each term times its factor.
    Sum {
        parts: Rc<[(Term, u64)]>,
        constant: u64,
    },
    Apply(Op, Term, Term),
    /// The first of two where a condition holds, else the second.
    Choice(Term, Term, Term),
    Equal(Term, Term),
    Less(Term, Term),
    LessSigned(Term, Term),
    Not(Term),
    All(Rc<[Term]>),
}

/// All terms.
#[derive(Debug, Default)]
pub struct Terms {
    nodes: Vec<(Node, u32)>,
    known: HashMap<(Node, u32), Term>,
}

/// A number whose lowest bits are ones.
pub const fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

impl Terms {
    /// The node, made unless it is there. Callers bring it into its one form.
    pub fn intern(&mut self, node: Node, width: u32) -> Term {
        assert!(width <= 64, "a term of {width} bits");
        let key = (node, width);
        if let Some(&term) = self.known.get(&key) {
            return term;
        }
        let term = Term(u32::try_from(self.nodes.len()).expect("fewer than 2^32 terms"));
        self.nodes.push(key.clone());
        self.known.insert(key, term);
        term
    }

    /// What it is.
    pub fn node(&self, term: Term) -> &Node {
        &self.nodes[term.0 as usize].0
    }

    /// How many bits it has; 0: a condition.
    pub fn width(&self, term: Term) -> u32 {
        self.nodes[term.0 as usize].1
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A number.
    pub fn constant(&mut self, value: u64, width: u32) -> Term {
        self.intern(Node::Const(value & mask(width)), width)
    }

    /// The number that it is, if it is one.
    pub fn known(&self, term: Term) -> Option<u64> {
        if let Node::Const(value) = self.node(term) { Some(*value) } else { None }
    }

    /// Any value of so many bits.
    pub fn unknown(&mut self, name: &str, width: u32) -> Term {
        self.intern(Node::Unknown(name.into()), width)
    }

    /// A table's byte.
    pub fn table_byte(&mut self, table: &Rc<str>, address: Term) -> Term {
        let (base, offset) = self.split_address(address);
        if let (Some(0), "frame") = (self.known(base), &**table) {
            return self.unknown(&format!("packet {offset}"), 8);
        }
        self.intern(Node::Table { table: table.clone(), base, offset }, 8)
    }

    /// What a function of the program returns, 64 bits.
    pub fn function(&mut self, name: &str, arguments: &[Term]) -> Term {
        self.intern(Node::Function { name: name.into(), arguments: arguments.into() }, 64)
    }

    /// The terms that a term is made of.
    pub fn arguments(&self, term: Term) -> Vec<Term> {
        match self.node(term) {
            Node::Const(_) | Node::Unknown(_) => Vec::new(),
            Node::Table { base: one, .. } | Node::Slice { of: one, .. } | Node::Not(one) => vec![*one],
            Node::Concat(parts) | Node::All(parts) | Node::Function { arguments: parts, .. } => parts.to_vec(),
            Node::Sum { parts, .. } => parts.iter().map(|(term, _)| *term).collect(),
            Node::Choice(condition, a, b) => vec![*condition, *a, *b],
            Node::Apply(_, a, b) | Node::Equal(a, b) | Node::Less(a, b) | Node::LessSigned(a, b) => vec![*a, *b],
        }
    }

    /// All terms that these are made of, arguments first.
    pub fn below(&self, roots: &[Term]) -> Vec<Term> {
        let mut found = std::collections::BTreeSet::new();
        let mut work = roots.to_vec();
        while let Some(term) = work.pop() {
            if found.insert(term) {
                work.extend(self.arguments(term));
            }
        }
        found.into_iter().collect()
    }
}
