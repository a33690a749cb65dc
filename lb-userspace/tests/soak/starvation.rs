//! How long processes of this machine have waited for a CPU.

use std::{
    fs,
    time::{Duration, Instant},
};

/// The time since boot in which some process waited for a CPU (`/proc/pressure/cpu`); zero where the kernel does not
/// count it.
pub fn total() -> Duration {
    let text = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let some = text.lines().find(|line| line.starts_with("some "));
    let total = some.and_then(|line| line.rsplit_once("total=")).and_then(|(_, total)| total.parse().ok());
    Duration::from_micros(total.unwrap_or_default())
}

/// Time since a moment, without that in which some process waited for a CPU: an agent that does not get one cannot be
/// quick.
#[derive(Clone, Copy)]
pub struct Unstarved {
    /// By the clock, and starved up to then.
    samples: [(Instant, Duration); SAMPLES],
}

/// Ten a second: enough for a minute.
const SAMPLES: usize = 600;

impl Unstarved {
    pub fn new() -> Self {
        Self { samples: [(Instant::now(), total()); SAMPLES] }
    }

    /// Takes a sample. Call it at each look.
    pub fn look(&mut self) {
        self.samples.rotate_left(1);
        self.samples[SAMPLES - 1] = (Instant::now(), total());
    }

    /// The time since then in which no process waited for a CPU.
    pub fn since(&self, then: Instant) -> Duration {
        let (_, now) = self.samples[SAMPLES - 1];
        let at = self.samples.partition_point(|(at, _)| *at < then).min(SAMPLES - 1);
        then.elapsed().saturating_sub(now.saturating_sub(self.samples[at].1))
    }
}
