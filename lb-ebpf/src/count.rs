//! Counters: per CPU, so that adding needs neither a lock nor an atomic instruction.

use lb_common::{
    outcome::Outcome,
    table::{Counter, Tally},
};
use lb_ebpf::likely;

use crate::maps;

/// Counts a packet that ends with an outcome of its own.
#[inline(always)]
pub fn outcome(outcome: Outcome, bytes: usize) {
    outcome_of(outcome, 1, bytes);
}

/// The same for a packet that becomes several frames.
#[inline(always)]
pub fn outcome_of(outcome: Outcome, frames: u64, bytes: usize) {
    let Some(counter) = maps::outcome_counter(outcome) else { return };
    // SAFETY: the pointer is to this CPU's own value, which nothing else writes while the program runs.
    unsafe {
        (*counter).packets += frames;
        (*counter).bytes += bytes as u64;
    }
}

/// Counts a packet for the server that it goes to; the one counter of the forwarding path.
#[inline(always)]
pub fn server(number: u64, frames: u64, bytes: usize) {
    let index = maps::server_index(number);
    let Some(tally) = maps::server_tally(index) else { return };
    // SAFETY: as above; volatile, since user space reads it at any time and a full tally must be seen before it is carried.
    let sum = unsafe {
        let sum = tally.read_volatile().plus(frames, bytes as u64);
        tally.write_volatile(sum);
        sum
    };
    if !likely(!sum.is_full()) {
        carry(index, tally, sum);
    }
}

/// Adds a full tally to its counter and then empties it. Whoever reads both finds either the full tally, and reads again, or all of
/// this done.
#[inline(always)]
fn carry(index: u64, tally: *mut Tally, full: Tally) {
    let Some(counter) = maps::server_counter(index) else { return };
    let Counter { packets, bytes } = full.counter();
    // SAFETY: as above; volatile, since the order matters.
    unsafe {
        let (all_packets, all_bytes) = (&raw mut (*counter).packets, &raw mut (*counter).bytes);
        all_packets.write_volatile(all_packets.read_volatile() + packets);
        all_bytes.write_volatile(all_bytes.read_volatile() + bytes);
        tally.write_volatile(Tally::default());
    }
}
