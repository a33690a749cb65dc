//! DESIGN.md, 5: how a packet is counted: one packet and the frame's bytes, on its CPU.

use crate::{
    insn::Alu,
    specification::{
        outcome::Outcome,
        stage::Verdict,
        world::{Ruled, World},
    },
    term::Term,
};

const XDP_DROP: u64 = 1;
const XDP_PASS: u64 = 2;

/// The counters of outcomes: one range for each CPU, of which this is the length.
const OUTCOMES: u64 = 32;
/// The bytes of a counter: packets, then bytes.
const COUNTER: u64 = 16;

/// What becomes of a packet with this outcome. There are as many counters as CPUs have; the program looks, and counts
/// nothing where there is none.
pub fn decided(world: &mut World<'_>, outcome: Outcome) -> Ruled<Verdict> {
    let cpu = world.domain.cpu();
    let first = world.times(cpu, OUTCOMES);
    let index = world.plus(first, outcome as u64);
    if world.is_less(index, "ALL_OUTCOMES")? {
        let counter = world.times(index, COUNTER);
        let (one, length) = (world.constant(1), world.whole());
        add(world, "OUTCOMES", counter, (one, length))?;
    }
    let action = if outcome.is_dropped() { XDP_DROP } else { XDP_PASS };
    Ok(Verdict { action: world.constant(action), effects: std::mem::take(&mut world.effects) })
}

/// Adds packets and bytes to the counter that is there.
fn add(world: &mut World<'_>, table: &str, counter: Term, (packets, bytes): (Term, Term)) -> Ruled<()> {
    for (offset, more) in [(0, packets), (8, bytes)] {
        let address = world.plus(counter, offset);
        let before = world.table(table, address, 8)?;
        let value = world.add(before, more);
        world.store(table, address, 8, value);
    }
    Ok(())
}

/// A packed counter: 10 bits of packets below 22 of bytes. The highest bit of either is only set while it is emptied.
mod packed {
    pub const SIZE: u64 = 4;
    pub const PACKETS_BITS: u32 = 10;
    pub const BYTES_BITS: u32 = 21;
    /// What no sum has that fits: the highest bit of packets, that of bytes, and all beyond.
    pub const FULL: u64 = 0xffff_ffff_8000_0200;
    /// While it is emptied it counts as nothing.
    pub const CARRIED: u64 = 0x8000_0000;
}

/// Counts a packet for the server with this counter: in the packed counter, and if that would be full, in the counter,
/// to which the packed one is added.
pub fn server(world: &mut World<'_>, number: Term) -> Ruled<()> {
    let (cpu, counters) = (world.domain.cpu(), world.filled_in("COUNTERS")?);
    let first = world.calculate(Alu::Mul, cpu, counters);
    let index = world.add(first, number);
    if !world.is_less(index, "ALL_COUNTERS")? {
        return Ok(());
    }
    let (place, length) = (world.times(index, packed::SIZE), world.whole());
    let before = world.table("TALLIES", place, packed::SIZE)?;
    let bytes = world.times(length, 1 << packed::PACKETS_BITS);
    let sum = world.add(before, bytes);
    let sum = world.plus(sum, 1);
    let full = world.constant(packed::FULL);
    let full = world.calculate(Alu::And, sum, full);
    if world.is(full, 0)? {
        world.store("TALLIES", place, packed::SIZE as u32, sum);
        return Ok(());
    }
    let packets = world.bits(before, 0, packed::PACKETS_BITS);
    let packets = world.plus(packets, 1);
    let bytes = world.bits(before, packed::PACKETS_BITS, packed::BYTES_BITS);
    let bytes = world.add(bytes, length);
    let carried = world.constant(packed::CARRIED);
    world.store("TALLIES", place, packed::SIZE as u32, carried);
    let counter = world.times(index, COUNTER);
    add(world, "COUNTERS", counter, (packets, bytes))?;
    let nothing = world.constant(0);
    world.store("TALLIES", place, packed::SIZE as u32, nothing);
    Ok(())
}
