//! Random calculations: terms, numbers and the solver must agree about them.

use std::rc::Rc;

use proptest::{collection::vec, prelude::*, strategy::ValueTree as _};

use crate::{
    domain::Domain as _,
    eval::Evaluator,
    facts::Facts,
    insn::{Alu, Test},
    rewrite::Rewriter,
    solver::Solver,
    term::{Node, Op, Term, Terms},
    world::Numbers,
};

const OPERATIONS: [Alu; 13] = [
    Alu::Add,
    Alu::Sub,
    Alu::Mul,
    Alu::Div,
    Alu::Or,
    Alu::And,
    Alu::Shl,
    Alu::Shr,
    Alu::Neg,
    Alu::Mod,
    Alu::Xor,
    Alu::Mov,
    Alu::Sar,
];

const TESTS: [Test; 11] = [
    Test::Equal,
    Test::NotEqual,
    Test::Greater,
    Test::GreaterEqual,
    Test::Less,
    Test::LessEqual,
    Test::Bits,
    Test::SignedGreater,
    Test::SignedGreaterEqual,
    Test::SignedLess,
    Test::SignedLessEqual,
];

/// One more value, made of those that there are.
#[derive(Clone, Debug)]
enum Make {
    Constant(u64),
    Calculate {
        op: usize,
        wide: bool,
        a: usize,
        b: usize,
    },
    Swap {
        of: usize,
        size: u32,
    },
    /// The first of two where it is less, or equal; else the second.
    Choose {
        less: bool,
        a: usize,
        b: usize,
    },
    Table {
        at: usize,
        offset: u64,
    },
}

fn interesting() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..70,
        (0_u32..64).prop_map(|bit| 1 << bit),
        (0_u32..64).prop_map(|bit| (1 << bit) - 1),
        (0_u32..8).prop_map(|byte| 0xff << (8 * byte)),
    ]
}

fn makes() -> impl Strategy<Value = Vec<Make>> {
    let make = prop_oneof![
        2 => interesting().prop_map(Make::Constant),
        6 => (0..OPERATIONS.len(), any::<bool>(), any::<usize>(), any::<usize>())
            .prop_map(|(op, wide, a, b)| Make::Calculate { op, wide, a, b }),
        2 => (any::<usize>(), prop_oneof![Just(1_u32), Just(2), Just(4), Just(8)])
            .prop_map(|(of, size)| Make::Swap { of, size }),
        1 => (any::<usize>(), 0_u64..64).prop_map(|(at, offset)| Make::Table { at, offset }),
        1 => (any::<bool>(), any::<usize>(), any::<usize>()).prop_map(|(less, a, b)| Make::Choose { less, a, b }),
    ];
    vec(make, 1..24)
}

/// What a table holds: any function of the place.
fn table(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56
}

/// Calculations of terms and of numbers side by side.
struct Both {
    terms: Terms,
    values: Vec<(Term, u64)>,
    leaves: Vec<u64>,
}

impl Both {
    fn new(leaves: &[u64], makes: &[Make]) -> Self {
        let mut both = Self { terms: Terms::default(), values: Vec::new(), leaves: leaves.to_vec() };
        let mut numbers = Numbers::default();
        for (number, value) in leaves.iter().enumerate() {
            let width = [64, 32, 8, 48][number];
            let term = both.terms.unknown(&number.to_string(), width);
            let term = both.terms.zero_extend(term, 64);
            both.values.push((term, value & crate::term::mask(width)));
        }
        let name: Rc<str> = "table".into();
        for make in makes {
            let get = |number: usize| both.values[number % both.values.len()];
            let value = match *make {
                Make::Constant(value) => (both.terms.constant(value, 64), value),
                Make::Calculate { op, wide, a, b } => {
                    let ((a, x), (b, y)) = (get(a), get(b));
                    let (op, width) = (OPERATIONS[op], if wide { 64 } else { 32 });
                    (both.terms.arithmetic(op, width, a, b), numbers.arithmetic(op, width, &x, &y))
                }
                Make::Swap { of, size } => {
                    let (term, value) = get(of);
                    let mut parts: Vec<_> = (0..size).map(|byte| both.terms.slice(term, byte * 8, 8)).collect();
                    parts.reverse();
                    let joined = both.terms.concat(&parts);
                    let mut bytes = numbers.bytes(&value, size);
                    bytes.reverse();
                    (both.terms.zero_extend(joined, 64), numbers.join(&bytes))
                }
                Make::Choose { less, a, b } => {
                    let ((a, x), (b, y)) = (get(a), get(b));
                    let test = if less { Test::Less } else { Test::Equal };
                    let condition = both.terms.compare(test, 64, a, b);
                    let holds = numbers.compare(test, 64, &x, &y);
                    (both.terms.choice(condition, a, b), if holds { x } else { y })
                }
                Make::Table { at, offset } => {
                    let (base, value) = get(at);
                    let address = both.terms.sum(&[(base, 1)], offset, 64);
                    let byte = both.terms.table_byte(&name, address);
                    (both.terms.zero_extend(byte, 64), table(value.wrapping_add(offset)))
                }
            };
            both.values.push(value);
        }
        both
    }

    fn value(&self, term: Term) -> u64 {
        let leaf = |node: &Node, address: Option<u64>| match (node, address) {
            (_, Some(address)) => table(address),
            (Node::Unknown(name), None) => self.leaves[name.parse::<usize>().unwrap()],
            _ => unreachable!("no leaf"),
        };
        Evaluator::new(&self.terms, leaf).value(term)
    }

    fn conditions(&mut self) -> Vec<(Term, bool)> {
        let mut numbers = Numbers::default();
        let mut conditions = Vec::new();
        for (number, pair) in self.values.clone().windows(2).enumerate() {
            let test = TESTS[number % TESTS.len()];
            for width in [32, 64] {
                let term = self.terms.compare(test, width, pair[0].0, pair[1].0);
                conditions.push((term, numbers.compare(test, width, &pair[0].1, &pair[1].1)));
            }
        }
        conditions
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn simplification_preserves_values(leaves in vec(interesting(), 4), makes in makes()) {
        let mut both = Both::new(&leaves, &makes);
        for (term, value) in both.values.clone() {
            prop_assert_eq!(both.value(term), value);
            prop_assert!(value <= both.terms.most(term));
        }
        for (condition, holds) in both.conditions() {
            prop_assert_eq!(both.value(condition), u64::from(holds));
        }
    }

    #[test]
    fn what_is_known_changes_no_value(leaves in vec(interesting(), 4), makes in makes(), learned in any::<u64>()) {
        let mut both = Both::new(&leaves, &makes);
        let conditions = both.conditions();
        let mut facts = Facts::default();
        for (number, (condition, holds)) in conditions.iter().enumerate() {
            if learned >> (number % 64) & 1 == 1 {
                facts.learn(&both.terms, *condition, *holds);
            }
        }
        for (term, value) in both.values.clone() {
            let (least, most) = facts.range(&both.terms, term);
            prop_assert!((least..=most).contains(&value));
            let refined = facts.refine(&mut both.terms, term);
            prop_assert_eq!(both.value(refined), value);
            let again = Rewriter::default().rewrite(&mut both.terms, &facts, term);
            prop_assert_eq!(both.value(again), value);
        }
        let mut rewritten = facts.clone();
        rewritten.rewrite(&mut both.terms, &mut Rewriter::default());
        for (condition, holds) in conditions {
            prop_assert!(facts.decide(&mut both.terms, condition).is_none_or(|decided| decided == holds));
            prop_assert!(rewritten.decide(&mut both.terms, condition).is_none_or(|decided| decided == holds));
        }
    }
}

/// Without products and remainders, which the solver is not told the meaning of.
#[test]
fn the_solver_is_told_what_terms_mean() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut solver = Solver::start().unwrap();
    for _ in 0..150 {
        // Names of terms are used once for each solver's life, so one for each calculation.
        let strategy = (vec(interesting(), 4), makes());
        let (leaves, makes) = strategy.new_tree(&mut runner).unwrap().current();
        let mut both = Both::new(&leaves, &makes);
        let known: Vec<_> = both.terms.below(&both.values.iter().map(|(term, _)| *term).collect::<Vec<_>>());
        let is_abstract = |terms: &Terms, term: &Term| match terms.node(*term) {
            Node::Apply(Op::Mul | Op::Div | Op::Mod, ..) => true,
            Node::Sum { parts, .. } => parts.iter().any(|(_, factor)| !factor.is_power_of_two()),
            _ => false,
        };
        if known.iter().any(|term| is_abstract(&both.terms, term)) {
            continue;
        }
        solver = Solver::start().unwrap();
        let mut facts = Vec::new();
        for term in known {
            if matches!(both.terms.node(term), Node::Unknown(_) | Node::Table { .. }) {
                let value = both.value(term);
                let width = both.terms.width(term);
                let value = both.terms.constant(value, width);
                facts.push(both.terms.equal(term, value));
            }
        }
        for fact in facts {
            solver.assert(&both.terms, fact).unwrap();
        }
        assert!(solver.is_possible().unwrap());
        let mut wrong = Vec::new();
        for (term, value) in both.values.clone() {
            let value = both.terms.constant(value, 64);
            let equal = both.terms.equal(term, value);
            wrong.push(both.terms.not(equal));
        }
        for (condition, holds) in both.conditions() {
            wrong.push(if holds { both.terms.not(condition) } else { condition });
        }
        for wrong in wrong {
            assert!(!solver.can_hold(&both.terms, wrong).unwrap(), "{makes:?} {leaves:?}");
        }
    }
    drop(solver);
}

/// By hand, from the standard: shifts take their lowest bits, 32-bit results have zeros above, nothing traps.
#[test]
fn numbers_are_calculated_as_the_standard_says() {
    let minus = |number: i64| number as u64;
    for (op, width, a, b, result) in [
        (Alu::Add, 64, u64::MAX, 1, 0),
        (Alu::Add, 32, u64::MAX, 1, 0),
        (Alu::Sub, 64, 0, 1, u64::MAX),
        (Alu::Sub, 32, 0, 1, 0xffff_ffff),
        (Alu::Mul, 32, 0x1_0000_0003, 0x8000_0001, 0x8000_0003),
        (Alu::Div, 64, 7, 0, 0),
        (Alu::Div, 64, minus(-1), 2, u64::MAX >> 1),
        (Alu::Mod, 64, 7, 0, 7),
        (Alu::Mod, 32, 0x5_0000_0007, 0, 7),
        (Alu::Shl, 64, 1, 65, 2),
        (Alu::Shl, 32, 1, 33, 2),
        (Alu::Shr, 64, minus(-1), 63, 1),
        (Alu::Sar, 64, minus(-8), 1, minus(-4)),
        (Alu::Sar, 32, 0x8000_0000, 4, 0xf800_0000),
        (Alu::Neg, 32, 1, 0, 0xffff_ffff),
        (Alu::Mov, 32, 9, minus(-1), 0xffff_ffff),
    ] {
        assert_eq!(Numbers::default().arithmetic(op, width, &a, &b), result, "{op:?} {width} {a:#x} {b:#x}");
    }
    for (test, width, a, b, holds) in [
        (Test::SignedLess, 64, u64::MAX, 0, true),
        (Test::Less, 64, u64::MAX, 0, false),
        (Test::SignedGreater, 32, 0x8000_0000, 0, false),
        (Test::Greater, 32, 0x1_0000_0000, 0, false),
        (Test::Bits, 64, 6, 2, true),
        (Test::Bits, 64, 6, 9, false),
    ] {
        assert_eq!(Numbers::default().compare(test, width, &a, &b), holds, "{test:?} {width} {a:#x} {b:#x}");
    }
}
