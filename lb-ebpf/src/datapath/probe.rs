//! One look into the table of services, by a complete key.
//!
//! Trap: the verifier re-verifies a static function at every call site, with everything that is known there, and
//! gives up when 8,192 branches are pending. It verifies a global function only once, for any arguments.

use lb_common::{control::Control, key, limits::MAX_PROBES};

use super::maps;

/// The number of the cell with this key plus 1, or 0. `length` is that of a prefix, else 0.
#[inline(always)]
pub fn probe(halves: [u64; 2], length: u32, tag: u32, hash: u64, control: Control) -> u64 {
    modlb_probe(halves[0], halves[1], (length as u64) << 32 | tag as u64, hash, control.0)
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn modlb_probe(high: u64, low: u64, key: u64, hash: u64, control: u64) -> u64 {
    let (tag, length, control) = (key as u32, (key >> 32) as u32, Control(control));
    let mut number = maps::first_cell(key::hash(hash, tag, control.seed()), control.half());
    for _ in 0..MAX_PROBES {
        // The cell is looked up by its number: verifiers before Linux 6.3 cannot follow what the compiler makes of a
        // pointer to the next cell.
        let Ok(cell) = maps::numbered_cell(number) else { return 0 };
        if cell.tag == tag && cell.prefix == length && cell.address == [high, low] {
            return number + 1;
        }
        if cell.tag == 0 {
            return 0;
        }
        number = maps::next_cell(number);
    }
    0
}
