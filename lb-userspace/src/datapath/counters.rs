//! Counters: a stretch of them for each CPU, summed here. Reading takes no system call, whatever their number.

use std::{fs, io};

use lb_common::{outcome::Outcome, table::Counter};

use super::{Error, Result, maps::Mapped, pins::Pins};

/// Counters of one kind, of all CPUs.
#[derive(Debug)]
pub struct Counters {
    /// CPU after CPU.
    values: Mapped<Counter>,
    length: usize,
}

impl Counters {
    /// What each server was sent.
    pub fn servers(pins: &Pins) -> Result<Self> {
        Self::open(pins, "COUNTERS")
    }

    /// What came to each outcome but `forwarded`.
    pub fn outcomes(pins: &Pins) -> Result<Self> {
        Self::open(pins, "OUTCOMES")
    }

    fn open(pins: &Pins, name: &'static str) -> Result<Self> {
        let values = Mapped::open_table(pins, name)?;
        let length = values.len() / cpus()? as usize;
        Ok(Self { values, length })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The values of the given counters, in their order.
    pub fn get(&self, numbers: &[u32]) -> Vec<Counter> {
        numbers.iter().map(|number| self.sum(*number)).collect()
    }

    /// The sum for each outcome, in [`Outcome::ALL`]'s order.
    pub fn all(&self) -> Vec<Counter> {
        Outcome::ALL.iter().map(|outcome| self.sum(outcome.index())).collect()
    }

    /// Sets counters to zero that nobody uses. Those that are zero already, which is most, are not written: memory that was
    /// never touched stays out of the caches.
    pub fn zero(&mut self, numbers: &[u32]) {
        for &number in numbers {
            for place in self.places(number) {
                if self.values.get(place) != Counter::default() {
                    self.values.write(place, &[Counter::default()]);
                }
            }
        }
    }

    fn sum(&self, number: u32) -> Counter {
        let mut sum = Counter::default();
        self.places(number).for_each(|place| sum += self.values.get(place));
        sum
    }

    /// Where a counter is, CPU by CPU.
    fn places(&self, number: u32) -> impl Iterator<Item = usize> + use<> {
        assert!((number as usize) < self.length, "a counter's number is beyond the last");
        (number as usize..self.values.len()).step_by(self.length)
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
