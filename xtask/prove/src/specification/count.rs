//! DESIGN.md, 5: how a packet is counted.

use crate::specification::{
    outcome::Outcome,
    stage::Verdict,
    world::{Ruled, World},
};

const XDP_PASS: u64 = 2;

/// The counters of outcomes: one range for each CPU, of which this is the length.
const OUTCOMES: u64 = 32;
/// The bytes of a counter: packets, then bytes.
const COUNTER: u32 = 16;

/// What becomes of a packet with this outcome: it is counted, one packet and the frame's bytes.
pub fn decided(world: &mut World<'_>, outcome: Outcome) -> Ruled<Verdict> {
    let cpu = world.domain.cpu();
    let first = world.times(cpu, OUTCOMES);
    let index = world.plus(first, outcome as u64);
    let mut writes = Vec::new();
    // There are as many as CPUs have; the program looks, and counts nothing where there is none.
    if world.is_less(index, "ALL_OUTCOMES")? {
        let counter = world.times(index, COUNTER.into());
        let (one, length) = (world.constant(1), world.whole());
        for (offset, more) in [(0, one), (8, length)] {
            let address = world.plus(counter, offset);
            let before = world.table("OUTCOMES", address, 8)?;
            let value = world.add(before, more);
            writes.push(world.store("OUTCOMES", address, 8, value));
        }
    }
    Ok(Verdict { action: world.constant(XDP_PASS), frame: Vec::new(), writes })
}
