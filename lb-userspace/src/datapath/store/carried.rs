//! What an instance had counted when it was upgraded from a former ABI.
//!
//! Trap: a program adds to its CPU's counter without an atomic instruction, so nobody else can add to one that is in
//! use. So these values have a map that no program knows. Only upgraded instances have it.

use std::os::fd::AsFd as _;

use lb_common::{limits::OUTCOME_COUNTERS, table::Counter};

use super::{maps::Mapped, pins::Pins};
use crate::datapath::{
    error::{Error, Result},
    sys::{self, Create},
};

const NAME: &str = "CARRIED";

/// The values of servers or of outcomes, by the number of their counter.
#[derive(Debug)]
pub(in crate::datapath) struct Carried {
    values: Option<Mapped<Counter>>,
    /// Outcomes come first.
    first: usize,
}

impl Carried {
    /// Makes and pins the map, for this many counters of servers.
    pub fn make(pins: &Pins, counters: u32) -> Result<()> {
        let array = Create {
            map_type: sys::BPF_MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: size_of::<Counter>() as u32,
            max_entries: OUTCOME_COUNTERS + counters,
            map_flags: sys::BPF_F_MMAPABLE,
            ..Create::default()
        };
        let made = sys::create(&array).and_then(|map| sys::pin(map.as_fd(), &pins.map(NAME)));
        made.map_err(Error::io(format!("making the map {NAME}")))
    }

    /// Those of outcomes.
    pub fn of_outcomes(pins: &Pins) -> Result<Self> {
        Self::open(pins, 0)
    }

    /// Those of servers.
    pub fn of_servers(pins: &Pins) -> Result<Self> {
        Self::open(pins, OUTCOME_COUNTERS as usize)
    }

    fn open(pins: &Pins, first: usize) -> Result<Self> {
        let values = pins.map(NAME).exists().then(|| Mapped::open(pins, NAME)).transpose()?;
        Ok(Self { values, first })
    }

    /// The value of a counter.
    pub fn get(&self, number: u32) -> Counter {
        self.values.as_ref().map(|values| values.get(self.first + number as usize)).unwrap_or_default()
    }

    /// Sets it. Without the map there is nothing to set.
    pub fn set(&mut self, number: u32, value: Counter) {
        if let Some(values) = &mut self.values {
            let index = self.first + number as usize;
            if values.get(index) != value {
                values.write(index, &[value]);
            }
        }
    }

    /// Sets all to zero.
    pub fn clear(&mut self) {
        if let Some(values) = &mut self.values {
            let zeros = vec![Counter::default(); values.len()];
            values.write(0, &zeros);
        }
    }
}
