//! Counters: per CPU, so that adding needs neither a lock nor an atomic instruction.

use lb_common::{
    outcome::Outcome,
    table::{Counter, PackedCounter},
};

use super::maps;

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
    let (index, bytes) = (maps::server_index(number), bytes as u64);
    let Some(packed) = maps::packed_counter(index) else { return };
    // SAFETY: as above; volatile, since user space reads it at any time.
    let before = unsafe { packed.read_volatile() };
    match before.plus(frames, bytes) {
        // SAFETY: as above.
        Some(sum) => unsafe { packed.write_volatile(sum) },
        None => carry(index, packed, before, Counter { packets: frames, bytes }),
    }
}

/// Adds a packed and what does not fit into it to the counter, and empties it. Whoever reads both finds either the packed marked, and
/// reads again, or all of this done.
#[cold]
#[inline(always)]
fn carry(index: u64, packed: *mut PackedCounter, before: PackedCounter, more: Counter) {
    let Some(counter) = maps::server_counter(index) else { return };
    let before = before.counter();
    // SAFETY: as above; volatile, since the order matters.
    unsafe {
        packed.write_volatile(PackedCounter::CARRIED);
        let (packets, bytes) = (&raw mut (*counter).packets, &raw mut (*counter).bytes);
        packets.write_volatile(packets.read_volatile() + before.packets + more.packets);
        bytes.write_volatile(bytes.read_volatile() + before.bytes + more.bytes);
        packed.write_volatile(PackedCounter::default());
    }
}
