//! The progress of a replay, shown only on a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often it is shown.
const INTERVAL: Duration = Duration::from_millis(250);

/// How many packets to handle between two reads of the clock.
const PACKETS: u32 = 1_024;

/// How far a file has been read, on standard error.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    terminal: bool,
    packets: u32,
    next: Instant,
    shown: bool,
}

impl Progress {
    /// `total`: the file's size in bytes, if known.
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { what, total, terminal, packets: 0, next: Instant::now() + INTERVAL, shown: false }
    }

    /// Shows that this many bytes have been read.
    pub fn at(&mut self, bytes: u64) {
        self.packets = (self.packets + 1) % PACKETS;
        if !self.terminal || self.packets != 0 || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + INTERVAL;
        self.shown = true;
        let of = self.total.filter(|total| *total > 0).map_or_else(String::new, |total| {
            format!(" of {} MB ({} %)", total / 1_000_000, bytes.min(total) * 100 / total)
        });
        // Progress that cannot be shown does not matter.
        let _ = write!(io::stderr(), "\r{}: {} MB{of}\x1b[K", self.what, bytes / 1_000_000);
    }

    /// Erases it.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
