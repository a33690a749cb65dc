//! Sums counters over the CPUs, each of which has its own range, without system calls.

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
    carried::Carried,
    maps::{Mapped, Plain},
    pins::Pins,
};
use crate::datapath::error::{Error, Result};

/// A table with a range of values for each CPU.
#[derive(Debug)]
struct PerCpu<T> {
    /// The ranges, one CPU after the other.
    values: Mapped<T>,
    length: usize,
}

impl<T: Plain + Default + PartialEq> PerCpu<T> {
    fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        let values = Mapped::open_table(pins, name)?;
        let length = values.len() / cpus()? as usize;
        Ok(Self { values, length })
    }

    /// The indices of a counter's values, CPU by CPU.
    fn indices(&self, number: u32) -> impl Iterator<Item = usize> + use<T> {
        assert!((number as usize) < self.length, "a counter's number is beyond the last");
        (number as usize..self.values.len()).step_by(self.length)
    }

    /// The sum of `value` over a counter's indices.
    fn sum(&self, number: u32, value: impl Fn(usize) -> Counter) -> Counter {
        let mut sum = Counter::default();
        self.indices(number).for_each(|index| sum += value(index));
        sum
    }

    /// Zeroes a counter. Most values are zero already and not written, which keeps untouched memory out of the caches.
    fn zero(&mut self, number: u32) {
        for index in self.indices(number) {
            if self.values.get(index) != T::default() {
                self.values.write(index, &[T::default()]);
            }
        }
    }
}

/// The counter of each outcome but `forwarded`.
#[derive(Debug)]
pub struct OutcomeCounters {
    counters: PerCpu<Counter>,
    carried: Carried,
}

impl OutcomeCounters {
    /// Those of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self { counters: PerCpu::open(pins, "OUTCOMES")?, carried: Carried::of_outcomes(pins)? })
    }

    /// The sum for each outcome, in [`Outcome::ALL`]'s order.
    pub fn all(&self) -> Vec<Counter> {
        let value = |index| self.counters.values.get(index);
        let sum = |number| plus(self.counters.sum(number, value), self.carried.get(number));
        Outcome::ALL.iter().map(|outcome| sum(outcome.index())).collect()
    }

    /// What was counted before the instance was upgraded.
    pub(in crate::datapath) fn carried(&mut self) -> &mut Carried {
        &mut self.carried
    }
}

fn plus(mut a: Counter, b: Counter) -> Counter {
    a += b;
    a
}

/// The counter of each server, and the packed counter of what is not added to it yet.
#[derive(Debug)]
pub struct ServerCounters {
    counters: PerCpu<Counter>,
    packed: PerCpu<PackedCounter>,
    carried: Carried,
}

impl ServerCounters {
    /// Those of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        Ok(Self {
            counters: PerCpu::open(pins, "COUNTERS")?,
            packed: PerCpu::open(pins, "TALLIES")?,
            carried: Carried::of_servers(pins)?,
        })
    }

    /// The values of the given counters, in their order.
    pub fn get(&self, numbers: &[u32]) -> Vec<Counter> {
        let sum = |number| plus(self.counters.sum(number, |index| self.value(index)), self.carried.get(number));
        numbers.iter().map(|number| sum(*number)).collect()
    }

    /// Zeroes counters that are not in use.
    pub fn zero(&mut self, numbers: &[u32]) {
        for &number in numbers {
            self.counters.zero(number);
            self.packed.zero(number);
            self.carried.set(number, Counter::default());
        }
    }

    /// What was counted before the instance was upgraded.
    pub(in crate::datapath) fn carried(&mut self) -> &mut Carried {
        &mut self.carried
    }

    /// The value on one CPU. While the datapath adds the packed counter to the counter, the packed counter is marked as
    /// carried. Otherwise the two belong together if the counter did not change around reading the packed one.
    fn value(&self, index: usize) -> Counter {
        /// Carrying takes nanoseconds,
        const SPINS: u32 = 1_000;
        /// unless it is interrupted. After a second the counter alone is returned.
        const SLEEPS: u32 = 1_000;
        let mut before = self.counters.values.get(index);
        for tries in 0..SPINS + SLEEPS {
            fence(Ordering::Acquire);
            let packed = self.packed.values.get(index);
            fence(Ordering::Acquire);
            let after = self.counters.values.get(index);
            if after == before && packed != PackedCounter::CARRIED {
                before += packed.counter();
                break;
            }
            before = after;
            if tries < SPINS { hint::spin_loop() } else { thread::sleep(Duration::from_millis(1)) }
        }
        before
    }
}

/// Role `keep`: the packets of each service that this host was the last to take.
#[derive(Debug)]
pub struct TakenCounters(PerCpu<Counter>);

impl TakenCounters {
    /// Those of an instance.
    pub fn open(pins: &Pins) -> Result<Self> {
        PerCpu::open(pins, "TAKEN").map(Self)
    }

    /// The value of a counter.
    pub fn get(&self, number: u32) -> Counter {
        self.0.sum(number, |index| self.0.values.get(index))
    }

    /// Zeroes counters that are not in use.
    pub fn zero(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|number| self.0.zero(*number));
    }
}

/// How many CPUs are possible: one more than the highest possible number.
pub fn cpus() -> Result<u32> {
    const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
    let text = fs::read_to_string(POSSIBLE).map_err(Error::io(format!("reading {POSSIBLE}")))?;
    let last = text.trim().rsplit([',', '-']).next().and_then(|number| number.parse::<u32>().ok());
    let last = last.ok_or_else(|| io::Error::other(format!("{:?} is not a list of CPUs", text.trim())));
    last.map(|last| last + 1).map_err(Error::io(format!("reading {POSSIBLE}")))
}
