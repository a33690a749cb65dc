//! Counters: per CPU, so that adding needs neither a lock nor an atomic instruction.

use lb_common::{outcome::Outcome, table::Counter};

use crate::maps;

/// Counts a packet that ends with an outcome of its own.
#[inline(always)]
pub fn outcome(outcome: Outcome, bytes: usize) {
    add(maps::outcome_counter(outcome), bytes);
}

/// Counts a packet for the server that it goes to; the one counter of the forwarding path.
#[inline(always)]
pub fn server(number: u32, bytes: usize) {
    add(maps::server_counter(number), bytes);
}

#[inline(always)]
fn add(counter: Option<*mut Counter>, bytes: usize) {
    let Some(counter) = counter else { return };
    // SAFETY: the pointer is to this CPU's own value, which nothing else writes while the program runs.
    unsafe {
        (*counter).packets += 1;
        (*counter).bytes += bytes as u64;
    }
}
