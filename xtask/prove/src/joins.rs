//! Branches whose sides meet again: they are followed as one, with numbers that depend on the side.
//!
//! From the branch on, instructions that only calculate are run in the order of their places, on every side that comes
//! to them. Where all sides have met, or all but those that left for one other place, one path goes on.

use std::collections::BTreeMap;

use crate::{
    domain::Stop,
    image::Image,
    insn::{Alu, Insn, Operation, Source},
    machine::{self, Event},
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::Value,
};

/// How many instructions are looked at.
const LIMIT: usize = 48;

/// The register that points to the stack.
const STACK: u8 = 10;

type Registers = [Option<Value<Term>>; 10];

/// Sides that came to one place.
#[derive(Clone, Debug)]
pub struct Side {
    pub at: usize,
    /// Where they come there.
    pub condition: Term,
    pub registers: Registers,
    /// How many came.
    count: usize,
}

/// Where sides met, and where all others went, if there are any.
#[derive(Debug)]
pub struct Joined {
    pub met: Side,
    pub other: Option<Side>,
    /// Instructions that were run.
    pub run: Vec<usize>,
}

/// What comes of a branch. `None`: its sides do not meet soon, or do more than calculate.
pub fn follow(
    image: &Image,
    domain: &mut Symbolic,
    state: &State<Term>,
    (condition, target): (Term, usize),
) -> Option<Joined> {
    let (mut sides, mut run) = (BTreeMap::new(), Vec::new());
    let mut scratch = state.clone();
    let opposite = domain.terms.not(condition);
    for (at, condition) in [(state.next + 1, opposite), (target, condition)] {
        let side = Side { at, condition, registers: state.registers.clone(), count: 1 };
        add(domain, &mut sides, state.next, side)?;
    }
    while run.len() < LIMIT {
        let (at, side) = sides.pop_first()?;
        if sides.len() < 2 && side.count > 1 {
            return Some(Joined { met: side, other: sides.pop_first().map(|(_, other)| other), run });
        }
        if !only_calculates(image.code.get(at)?) {
            return None;
        }
        run.push(at);
        (scratch.next, scratch.registers) = (at, side.registers);
        let event = machine::step(image, &mut scratch, domain);
        let registers = scratch.registers.clone();
        for (next, condition) in nexts(domain, event, &scratch, side.condition)? {
            add(domain, &mut sides, at, Side { at: next, condition, registers: registers.clone(), count: 1 })?;
        }
    }
    None
}

/// Where an instruction leads.
fn nexts(
    domain: &mut Symbolic,
    event: Result<Event<Symbolic>, Stop<Term>>,
    state: &State<Term>,
    here: Term,
) -> Option<Vec<(usize, Term)>> {
    match event.ok()? {
        Event::Next => Some(vec![(state.next, here)]),
        Event::Branch(condition, target) => match domain.facts.decide(&mut domain.terms, condition) {
            Some(true) => Some(vec![(target, here)]),
            Some(false) => Some(vec![(state.next + 1, here)]),
            None => {
                let opposite = domain.terms.not(condition);
                let (stays, goes) = (domain.terms.all(&[here, opposite]), domain.terms.all(&[here, condition]));
                Some(vec![(state.next + 1, stays), (target, goes)])
            }
        },
        Event::Call(_) | Event::Exit(_) => None,
    }
}

/// Another side comes to a place, from one before it.
fn add(domain: &mut Symbolic, sides: &mut BTreeMap<usize, Side>, from: usize, new: Side) -> Option<()> {
    if new.at <= from {
        return None;
    }
    let Some(old) = sides.get_mut(&new.at) else {
        sides.insert(new.at, new);
        return Some(());
    };
    for (register, value) in old.registers.iter_mut().zip(new.registers) {
        *register = match (register.take(), value) {
            (Some(Value::Number(a)), Some(Value::Number(b))) => {
                Some(Value::Number(domain.terms.choice(new.condition, b, a)))
            }
            (one, other) if one == other => one,
            // Without a value: to read it is an error.
            _ => None,
        };
    }
    old.condition = domain.terms.any(&[old.condition, new.condition]);
    old.count += new.count;
    Some(())
}

/// Whether an instruction does nothing but calculate what is easily compared: what it reads besides registers is on the
/// stack, and it adds no numbers that are both unknown.
fn only_calculates(insn: &Insn) -> bool {
    match insn.operation() {
        Ok(Operation::Load { .. }) => insn.src == STACK,
        Ok(Operation::Alu { op, source, .. }) => {
            let is_hard = matches!(op, Alu::Add | Alu::Sub | Alu::Mul | Alu::Div | Alu::Mod);
            !(is_hard && matches!(source, Source::Register(_)))
        }
        Ok(Operation::LoadConstant | Operation::Bytes { .. } | Operation::Goto | Operation::Jump { .. }) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Domain as _, image::tests::image, programs::Kind};

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

    const fn set(register: u8, value: u8) -> [u8; 8] {
        [0xb7, register, 0, 0, value, 0, 0, 0]
    }

    /// Behind a branch at the start, by which r1 is 5.
    fn joined(domain: &mut Symbolic, code: &[[u8; 8]], target: usize) -> Option<Joined> {
        let (first, second) = (domain.terms.unknown("one", 64), domain.terms.unknown("two", 64));
        let five = domain.constant(5);
        let condition = domain.terms.equal(first, five);
        let state = State::new(0, [Value::Number(first), Value::Number(second)]);
        follow(&image(code), domain, &state, (condition, target))
    }

    /// Whether this holds of every number in r1, whose name is "one".
    fn always(domain: &mut Symbolic, condition: Term) -> bool {
        domain.holds(condition).unwrap()
    }

    #[test]
    fn a_skipped_move_is_a_choice() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let code = [[0x15, 1, 1, 0, 5, 0, 0, 0], set(2, 7), EXIT];
        let Joined { met, other, run } = joined(&mut domain, &code, 2).unwrap();
        assert!((met.at, run) == (2, vec![1]) && other.is_none());
        let Some(Value::Number(chosen)) = met.registers[2] else { unreachable!("r2 is a number") };
        let (first, second) = (domain.terms.unknown("one", 64), domain.terms.unknown("two", 64));
        let (five, seven) = (domain.constant(5), domain.constant(7));
        let skipped = domain.terms.equal(first, five);
        let expected = domain.terms.choice(skipped, second, seven);
        let is_it = domain.terms.equal(chosen, expected);
        assert!(always(&mut domain, is_it));
        let is_second = domain.terms.equal(chosen, second);
        assert!(!always(&mut domain, is_second));
    }

    /// 5 or 6 goes on, everything else elsewhere.
    #[test]
    fn sides_that_leave_have_the_opposite_condition() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let code = [[0x15, 1, 1, 0, 5, 0, 0, 0], [0x55, 1, 2, 0, 6, 0, 0, 0], set(0, 1), EXIT, set(0, 2), EXIT];
        let Joined { met, other, .. } = joined(&mut domain, &code, 2).unwrap();
        let other = other.unwrap();
        assert_eq!((met.at, other.at), (2, 4));
        let first = domain.terms.unknown("one", 64);
        let wanted = [5, 6].map(|value| {
            let value = domain.constant(value);
            domain.terms.equal(first, value)
        });
        let is_wanted = domain.terms.any(&wanted);
        let is_not = domain.terms.not(is_wanted);
        for (condition, expected) in [(met.condition, is_wanted), (other.condition, is_not)] {
            let wrong = [(condition, expected), (expected, condition)].map(|(one, two)| {
                let opposite = domain.terms.not(two);
                domain.terms.all(&[one, opposite])
            });
            assert!(wrong.iter().all(|wrong| !domain.can_hold(*wrong).unwrap()));
        }
    }

    #[test]
    fn sides_that_store_are_followed_alone() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let store = [0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0];
        assert!(joined(&mut domain, &[[0x15, 1, 1, 0, 5, 0, 0, 0], store, EXIT], 2).is_none());
    }

    #[test]
    fn what_is_a_pointer_on_one_side_has_no_value() {
        let mut domain = Symbolic::new(Kind::Buffer).unwrap();
        let pointer = [0xbf, 0xa2, 0, 0, 0, 0, 0, 0];
        let Joined { met, .. } = joined(&mut domain, &[[0x15, 1, 1, 0, 5, 0, 0, 0], pointer, EXIT], 2).unwrap();
        assert!(met.registers[2].is_none());
    }
}
