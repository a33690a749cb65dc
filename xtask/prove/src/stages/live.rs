//! Which registers and stack slots of a function may still be read. What is not need not be kept; to be wrong about it
//! makes a proof fail, and nothing else.

use std::collections::{BTreeSet, HashMap};

use crate::{
    contracts,
    image::Image,
    insn::{Alu, Insn, Operation, Source},
};

/// The register that points to the stack.
const STACK: u8 = 10;
/// How far behind a pointer to the stack a function that is handed it may read.
const REACH: i16 = 64;

/// A register, or a byte of the stack by its distance from the top.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Slot {
    Register(u8),
    Stack(i16),
}

/// What is live before each instruction of a function.
#[derive(Debug)]
pub struct Live {
    first: usize,
    /// How many arguments each call of a function takes that is known here, by its instruction.
    arguments: HashMap<usize, u8>,
    before: Vec<BTreeSet<Slot>>,
    /// Bytes of the stack that somebody has a pointer to.
    shared: BTreeSet<i16>,
}

impl Live {
    pub fn of(image: &Image, first: usize) -> Self {
        let body = image.body(first);
        let code = &image.code[body.clone()];
        let arguments = (0..).zip(code).filter_map(|(number, insn)| {
            let target = insn.target?;
            let function = contracts::function(image.name_at(target));
            Some((number, function.map_or_else(|| arity(image, target), |function| function.arguments.len() as u8)))
        });
        let arguments = arguments.collect();
        let mut live = Self { first, arguments, before: vec![BTreeSet::new(); code.len() + 1], shared: shared(code) };
        loop {
            let mut is_stable = true;
            let mut number = code.len();
            while number > 0 {
                number -= 1;
                let now = live.transfer(&code[number], number);
                is_stable &= now == live.before[number];
                live.before[number] = now;
            }
            if is_stable {
                return live;
            }
        }
    }

    pub fn has(&self, number: usize, register: u8) -> bool {
        self.before[number - self.first].contains(&Slot::Register(register))
    }

    /// Whether a part of what is on the stack there is read by the function itself.
    pub fn is_read(&self, number: usize, at: i64, size: u32) -> bool {
        let live = &self.before[number - self.first];
        (at..at + i64::from(size)).any(|at| live.contains(&Slot::Stack(at as i16)))
    }

    /// Whether somebody else may have a pointer to a part of it.
    pub fn is_shared(&self, at: i64, size: u32) -> bool {
        (at..at + i64::from(size)).any(|at| self.shared.contains(&(at as i16)))
    }

    fn transfer(&self, insn: &Insn, number: usize) -> BTreeSet<Slot> {
        let behind = number + if insn.is_wide() { 2 } else { 1 };
        let target = (number + 1).wrapping_add_signed(insn.off.into());
        let at = |number: usize| self.before.get(number).cloned().unwrap_or_default();
        let Ok(operation) = insn.operation() else { return BTreeSet::new() };
        let mut live = match operation {
            Operation::Exit => BTreeSet::new(),
            Operation::Goto => at(target),
            Operation::Jump { .. } => at(target).union(&at(behind)).copied().collect(),
            _ => at(behind),
        };
        let (mut reads, writes) = effect(insn, operation);
        if let Some(count) = self.arguments.get(&number) {
            reads.retain(|slot| !matches!(slot, Slot::Register(register) if register > count));
        }
        live.retain(|slot| !writes.contains(slot));
        live.extend(reads);
        live
    }
}

/// How many arguments a function takes at most, by what it reads before it is written.
fn arity(image: &Image, first: usize) -> u8 {
    let live = Live::of(image, first);
    (1..=5).rev().find(|register| live.has(first, *register)).unwrap_or(0)
}

fn bytes(at: i16, size: u32) -> impl Iterator<Item = Slot> {
    (at..at.saturating_add(size as i16)).map(Slot::Stack)
}

/// What it reads, and what it writes.
fn effect(insn: &Insn, operation: Operation) -> (Vec<Slot>, Vec<Slot>) {
    let (dst, src) = (Slot::Register(insn.dst), Slot::Register(insn.src));
    let operand = |source| if matches!(source, Source::Register(_)) { vec![src] } else { vec![] };
    match operation {
        Operation::Alu { op: Alu::Mov, source, .. } => (operand(source), vec![dst]),
        Operation::Alu { source, .. } => ([operand(source), vec![dst]].concat(), vec![]),
        Operation::Bytes { .. } => (vec![dst], vec![]),
        Operation::LoadConstant => (vec![], vec![dst]),
        Operation::Load { size } if insn.src == STACK => (bytes(insn.off, size).collect(), vec![dst]),
        Operation::Load { .. } => (vec![src], vec![dst]),
        Operation::Store { size, source } if insn.dst == STACK => (operand(source), bytes(insn.off, size).collect()),
        Operation::Store { source, .. } => ([operand(source), vec![dst]].concat(), vec![]),
        Operation::Jump { source, .. } => ([operand(source), vec![dst]].concat(), vec![]),
        Operation::CallHelper | Operation::CallFunction => {
            ((1..=5).map(Slot::Register).collect(), (0..=5).map(Slot::Register).collect())
        }
        Operation::Exit => (vec![Slot::Register(0)], vec![]),
        Operation::Goto => (vec![], vec![]),
    }
}

/// The bytes behind each place on the stack that a pointer is made to.
fn shared(code: &[Insn]) -> BTreeSet<i16> {
    let mut shared = BTreeSet::new();
    for pair in code.windows(2) {
        let is_copy = |insn: &Insn| {
            matches!(insn.operation(), Ok(Operation::Alu { op: Alu::Mov, source: Source::Register(STACK), .. }))
        };
        if let ([copy, add], true) = (pair, is_copy(&pair[0]))
            && add.dst == copy.dst
            && matches!(add.operation(), Ok(Operation::Alu { op: Alu::Add, source: Source::Constant(_), .. }))
        {
            let from = add.imm as i16;
            shared.extend(from..from.saturating_add(REACH).min(0));
        }
    }
    shared
}
