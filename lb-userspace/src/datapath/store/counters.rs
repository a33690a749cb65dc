//! Counters: a stretch of them for each CPU, summed here. Reading takes no system call, whatever their number.

use std::{
    fs, hint, io,
    sync::atomic::{Ordering, fence},
    thread,
    time::Duration,
};

use lb_common::{
    outcome::Outcome,
    table::{Counter, PackedCounter},
};

use super::{
    maps::{Mapped, Plain},
    pins::Pins,
};
use crate::datapath::error::{Error, Result};

/// A table that has a stretch for each CPU.
#[derive(Debug)]
struct Stretches<T> {
    /// CPU after CPU.
    values: Mapped<T>,
    length: usize,
}

impl<T: Plain + Default + PartialEq> Stretches<T> {
    fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        let values = Mapped::open_table(pins, name)?;
        let length = values.len() / cpus()? as usize;
        Ok(Self { values, length })
    }

    /// Where a number's values are, CPU by CPU.
    fn places(&self, number: u32) -> impl Iterator<Item = usize> + use<T> {
        assert!((number as usize) < self.length, "a counter's number is beyond the last");
        (number as usize..self.values.len()).step_by(self.length)
    }

    /// The sum over all CPUs of what `value` says of each place.
    fn sum(&self, number: u32, value: impl Fn(usize) -> Counter) -> Counter {
        let mut sum = Counter::default();
        self.places(number).for_each(|place| sum += value(place));
        sum
    }

    /// Those that are zero already, which is most, are not written: memory that was never touched stays out of the
    /// caches.
    fn zero(&mut self, number: u32) {
        for place in self.places(number) {
            if self.values.get(place) != T::default() {
                self.values.write(place, &[T::default()]);
            }
        }
    }
}

/// What came to each outcome but `forwarded`.
#[derive(Debug)]
pub struct OutcomeCounters(Stretches<Counter>);

impl OutcomeCounters {
    /// Those of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self(Stretches::open(pins, "OUTCOMES")?))
    }

    /// The sum for each outcome, in [`Outcome::ALL`]'s order.
    pub fn all(&self) -> Vec<Counter> {
        let value = |place| self.0.values.get(place);
        Outcome::ALL.iter().map(|outcome| self.0.sum(outcome.index(), value)).collect()
    }
}

/// What each server was sent: its counters, and the tallies of what came lately.
#[derive(Debug)]
pub struct ServerCounters {
    counters: Stretches<Counter>,
    tallies: Stretches<PackedCounter>,
}

impl ServerCounters {
    /// Those of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self { counters: Stretches::open(pins, "COUNTERS")?, tallies: Stretches::open(pins, "TALLIES")? })
    }

    /// The values of the given counters, in their order.
    pub fn get(&self, numbers: &[u32]) -> Vec<Counter> {
        numbers.iter().map(|number| self.counters.sum(*number, |place| self.value(place))).collect()
    }

    /// Sets counters to zero that nobody uses.
    pub fn zero(&mut self, numbers: &[u32]) {
        for &number in numbers {
            self.counters.zero(number);
            self.tallies.zero(number);
        }
    }

    /// The value on one CPU, of which the datapath may be carrying the tally to the counter: then the tally says so. If
    /// the counter was the same before and after any other tally, that belongs to it.
    fn value(&self, place: usize) -> Counter {
        /// Carrying takes nanoseconds.
        const SPINS: u32 = 1_000;
        /// Unless something interrupts it. If that takes a second, what stands in the counter must do.
        const SLEEPS: u32 = 1_000;
        let mut before = self.counters.values.get(place);
        for tries in 0..SPINS + SLEEPS {
            fence(Ordering::Acquire);
            let tally = self.tallies.values.get(place);
            fence(Ordering::Acquire);
            let after = self.counters.values.get(place);
            if after == before && tally != PackedCounter::CARRIED {
                before += tally.counter();
                break;
            }
            before = after;
            if tries < SPINS { hint::spin_loop() } else { thread::sleep(Duration::from_millis(1)) }
        }
        before
    }
}

/// How many numbers CPUs may have: one more than the highest that is possible.
pub fn cpus() -> Result<u32> {
    const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
    let text = fs::read_to_string(POSSIBLE).map_err(Error::io(format!("reading {POSSIBLE}")))?;
    let last = text.trim().rsplit([',', '-']).next().and_then(|number| number.parse::<u32>().ok());
    let last = last.ok_or_else(|| io::Error::other(format!("{:?} is no list of CPUs", text.trim())));
    last.map(|last| last + 1).map_err(Error::io(format!("reading {POSSIBLE}")))
}
