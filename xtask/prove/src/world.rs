//! One frame and what is in the tables: what a program finds, and what becomes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    programs::Kind,
    state::{State, Write},
    table_sizes::{self, Length},
};

/// What a program finds.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    pub frame: Vec<u8>,
    pub whole_length: u64,
    pub cpu: u64,
    pub kind: Kind,
    /// How many frames it becomes, by the kernel's count.
    pub segments: u64,
    /// The interfaces that frames may be redirected to.
    pub devices: BTreeSet<u64>,
    /// What user space fills in.
    pub numbers: BTreeMap<String, u64>,
    /// Bytes of tables by their distance from the table's start; others are 0.
    pub tables: BTreeMap<(Rc<str>, u64), u8>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Decided {
        action: u64,
        frame: Vec<u8>,
        writes: Vec<Write<u64>>,
    },
    /// The general path was called, with this for the control word; whether that and the context are right, and
    /// nothing was written before.
    General {
        rightly: bool,
    },
    Fault(String),
    /// The program does what the machine does not know.
    Unknown(String),
}

impl Numbers {
    /// Puts what was written to the packet into it.
    pub fn settle(&mut self, state: &mut State<u64>) {
        for (at, byte) in std::mem::take(&mut state.packet) {
            self.frame[at as usize] = byte as u8;
        }
    }

    /// How long the whole frame is.
    pub fn length(&self) -> u64 {
        let first = self.frame.len() as u64;
        if self.kind.has_more() { first.max(self.whole_length) } else { first }
    }

    /// The whole frame; behind the first buffer there are zeros.
    pub fn whole(&self) -> Vec<u8> {
        let mut frame = self.frame.clone();
        frame.resize(self.length() as usize, 0);
        frame
    }

    /// How long a table is, if that is known.
    pub fn table_bytes(&self, table: &str) -> Option<u64> {
        let table = table_sizes::of(table)?;
        match table.length {
            Length::Entries(entries) => Some(entries * table.entry),
            Length::Number(name, factor) => self.numbers.get(name)?.checked_mul(factor)?.checked_mul(table.entry),
        }
    }

    /// How many entries the map has in which programs look entries up.
    pub fn entries(&self) -> u64 {
        const MOST: u64 = 1 << 18;
        (2 * self.numbers.get("COUNTERS").copied().unwrap_or_default().min(MOST)).clamp(1, MOST)
    }

    /// The control word.
    pub fn control(&self) -> u64 {
        self.word("CONTROL")
    }

    /// The first 8 bytes of a table.
    pub fn word(&self, table: &str) -> u64 {
        let table: Rc<str> = table.into();
        let byte = |at: u64| u64::from(self.tables.get(&(table.clone(), at)).copied().unwrap_or(0));
        (0..8).fold(0, |word, at| word | byte(at) << (8 * at))
    }
}
