//! What is done with a packet.

use std::collections::BTreeMap;

use crate::{state::Write, term::Term};

/// What is written.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Effects {
    /// Where the frame starts now, by its first byte of before.
    pub start: i64,
    /// Bytes of the frame, by their places: those before its first byte of before are below 0, modulo 2^64.
    pub frame: BTreeMap<u64, Term>,
    /// Stores to tables, in order.
    pub writes: Vec<Write<Term>>,
}

impl Effects {
    /// Writes bytes, so far behind the frame's start.
    pub fn write(&mut self, offset: u64, bytes: &[Term]) {
        let first = (self.start as u64).wrapping_add(offset);
        self.frame.extend((0..).zip(bytes).map(|(number, byte)| (first.wrapping_add(number), *byte)));
    }
}
