//! Where a program is: its registers, its stack, and what it wrote.

use std::{collections::BTreeMap, rc::Rc};

use crate::value::{Region, Value};

/// A store to a table.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Write<N> {
    pub table: Rc<str>,
    pub address: N,
    pub size: u32,
    pub value: N,
}

/// What a function goes back to.
#[derive(Clone, Debug)]
pub struct Caller<N> {
    pub next: usize,
    pub saved: [Option<Value<N>>; 4],
}

/// A stored value on the stack, and its size.
pub type StackEntry<N> = (u32, Value<N>);

#[derive(Clone, Debug)]
pub struct State<N> {
    pub next: usize,
    pub registers: [Option<Value<N>>; 10],
    pub callers: Vec<Caller<N>>,
    /// By the distance from the top of the caller's stack, downwards; entries are apart from each other.
    pub stack: BTreeMap<i64, StackEntry<N>>,
    /// Where the packet starts now, by its first byte of before.
    pub start: i64,
    /// Bytes that were written, by their places of before: those in front of that first byte are below 0, modulo 2^64.
    pub packet: BTreeMap<u64, N>,
    /// In order.
    pub writes: Vec<Write<N>>,
    /// Whether the control word was read, or handed to it.
    pub has_control: bool,
}

/// How much stack a function has.
pub const FRAME: i64 = 512;

/// How deep calls may be nested.
pub const CALLS: usize = 8;

impl<N: Clone> State<N> {
    /// Before a function's first instruction.
    pub fn new(first: usize, arguments: impl IntoIterator<Item = Value<N>>) -> Self {
        let mut registers = [const { None }; 10];
        for (register, argument) in registers[1..].iter_mut().zip(arguments) {
            *register = Some(argument);
        }
        Self {
            next: first,
            registers,
            callers: Vec::new(),
            stack: BTreeMap::new(),
            start: 0,
            packet: BTreeMap::new(),
            writes: Vec::new(),
            has_control: false,
        }
    }

    /// Before the first instruction of a general path, which is handed the control word.
    pub fn handed(first: usize, context: Value<N>, control: N) -> Self {
        Self { has_control: true, ..Self::new(first, [context, Value::Number(control)]) }
    }

    /// The top of this function's stack.
    pub fn top(&self) -> i64 {
        -(self.callers.len() as i64) * FRAME
    }

    /// Whether anything was written that others see.
    pub fn has_written(&self) -> bool {
        self.has_changed_packet() || !self.writes.is_empty()
    }

    pub fn has_changed_packet(&self) -> bool {
        !self.packet.is_empty() || self.start != 0
    }

    /// What calls leave without a value.
    pub fn forget_arguments(&mut self) {
        self.registers[1..6].fill(None);
    }

    /// Replaces every number by another.
    pub fn change_numbers(&mut self, mut change: impl FnMut(N) -> N) {
        let saved = self.callers.iter_mut().flat_map(|caller| &mut caller.saved);
        let registers = self.registers.iter_mut().chain(saved).filter_map(Option::as_mut);
        let stack = self.stack.values_mut().map(|(_, value)| value);
        for Value::Number(number) | Value::Pointer(_, number) in registers.chain(stack) {
            *number = change(number.clone());
        }
        for byte in self.packet.values_mut() {
            *byte = change(byte.clone());
        }
        for write in &mut self.writes {
            write.address = change(write.address.clone());
            write.value = change(write.value.clone());
        }
    }

    /// A pointer to the context.
    pub const fn context(zero: N) -> Value<N> {
        Value::Pointer(Region::Context, zero)
    }
}
