//! Counters: per CPU, so that adding needs neither a lock nor an atomic instruction.

use lb_common::{outcome::Outcome, table::Counter};

use crate::maps;

/// Counts a packet that ends with an outcome of its own.
#[inline(always)]
pub fn outcome(outcome: Outcome, bytes: usize) {
    outcome_of(outcome, 1, bytes);
}

/// The same for a packet that becomes several frames.
#[inline(always)]
pub fn outcome_of(outcome: Outcome, frames: u64, bytes: usize) {
    add(maps::outcome_counter(outcome), frames, bytes);
}

/// Counts a packet for the server that it goes to; the one counter of the forwarding path.
#[inline(always)]
pub fn server(number: u64, frames: u64, bytes: usize) {
    add(maps::server_counter(number), frames, bytes);
}

#[inline(always)]
fn add(counter: Option<*mut Counter>, frames: u64, bytes: usize) {
    let Some(counter) = counter else { return };
    // SAFETY: the pointer is to this CPU's own value, which nothing else writes while the program runs.
    unsafe {
        (*counter).packets += frames;
        (*counter).bytes += bytes as u64;
    }
}
