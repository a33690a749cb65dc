//! Time and memory that a proof took.

use std::time::{Duration, Instant};

/// Of this thread and the solver; the memory is that of all threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    took: Duration,
    pub cpu_seconds: f64,
    pub memory_mb: u64,
}

/// The thread that asks.
const OWN: &str = "thread-self";

/// Where a measurement begins.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    before: Cost,
}

impl Cost {
    /// Begins to measure.
    pub fn meter() -> Meter {
        Meter { start: Instant::now(), before: Self::of(OWN) }
    }

    pub fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }

    /// Of a process or thread; nothing where the kernel does not say.
    fn of(process: &str) -> Self {
        const TICKS: f64 = 100.0;
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        let stat = read("stat");
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(str::trim);
        let kilobytes = peak.and_then(|peak| peak.split(' ').next()).and_then(|number| number.parse::<u64>().ok());
        Self { took: Duration::ZERO, cpu_seconds: ticks / TICKS, memory_mb: kilobytes.unwrap_or_default() / 1024 }
    }
}

impl Meter {
    /// What was used since then, by this thread and the solver's process.
    pub fn read(&self, solver: u32) -> Cost {
        let (own, solver) = (Cost::of(OWN), Cost::of(&solver.to_string()));
        Cost {
            took: self.start.elapsed(),
            cpu_seconds: own.cpu_seconds - self.before.cpu_seconds + solver.cpu_seconds,
            memory_mb: own.memory_mb + solver.memory_mb,
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s, {:.1} s of CPU time, {} MB", self.seconds(), self.cpu_seconds, self.memory_mb)
    }
}
