//! DESIGN.md, 2 and 3: the formula, and the slot that it names.

use crate::{
    insn::Alu,
    specification::{
        cell::{Cell, Field, flag},
        outcome::Outcome::{Fragment, NoServer},
        stage::{self, Family, Flow, Formula, Stage},
        world::{Ruled, World},
    },
    term::Term,
};

/// Goes on with the slot that the formula names, and its server's counter.
pub fn choose(world: &mut World<'_>, flow: &Flow, cell: &Cell, formula: Formula) -> Ruled<Stage> {
    let slots = cell.field(world, Field::Slots)?;
    if world.is(slots, 0)? {
        return Err(if cell.has(world, flag::PASS)? { Fragment } else { NoServer }.into());
    }
    let sum = sum(world, flow, cell, formula)?;
    let number = world.calculate(Alu::Mod, sum, slots);
    let first = cell.field(world, Field::FirstSlot)?;
    let place = world.add(number, first);
    if !world.is_less(place, "SLOTS")? {
        return Err(NoServer.into());
    }
    let place = world.times(place, 8);
    let slot = world.table("SLOTS", place, 8)?;
    let relative = if cell.has(world, flag::IN_ORDER)? { number } else { world.bits(slot, 48, 16) };
    Ok(Stage::Server { cell: cell.0, slot, relative })
}

/// Source and destination and the destination's port; by the 5-tuple also the source's port and the protocol. Of an
/// IPv6 address each 32 bits count times their power of 2^32, modulo T, which is in the cell.
fn sum(world: &mut World<'_>, flow: &Flow, cell: &Cell, formula: Formula) -> Ruled<Term> {
    let Flow { source, destination, source_port, destination_port, protocol, .. } = flow;
    let mut sum = number(world, destination_port);
    let digits = source.chunks(4).zip(destination.chunks(4)).rev();
    for (power, (one, other)) in (0..).zip(digits) {
        let (one, other) = (number(world, one), number(world, other));
        let both = world.add(one, other);
        let counts = match (flow.family, power) {
            (Family::V4, _) | (Family::V6, 0) => both,
            (Family::V6, power) => {
                let power = cell.number(world, Field::Powers as u64 + 4 * (power - 1))?;
                world.calculate(Alu::Mul, both, power)
            }
        };
        sum = world.add(sum, counts);
    }
    if formula == Formula::FiveTuple {
        for more in [number(world, source_port), number(world, &[*protocol])] {
            sum = world.add(sum, more);
        }
    }
    Ok(sum)
}

fn number(world: &mut World<'_>, bytes: &[Term]) -> Term {
    stage::number(&mut world.domain.terms, bytes)
}
