//! One look into the table of services: from the key's home on, up to 8 cells of the half, and no further than to an
//! empty one.

use crate::{
    specification::{
        call::{Round, Rule, Step, parts},
        lookup::{
            cell,
            hash::{self, Halves},
        },
        world::{Ruled, World},
    },
    term::Term,
};

const NAME: &str = "modlb_probe";
const MOST: u64 = 8;
/// The bit of the control word.
const HALF: u32 = 0;

pub const RULE: Rule = Rule { name: NAME, start, round, invariant };

/// The number of the cell with this key plus 1, or 0. `length` is that of a prefix, else 0.
pub fn probe(
    world: &mut World<'_>,
    [high, low]: Halves,
    (length, tag): (Term, Term),
    hash: Term,
    control: Term,
) -> Term {
    let key = world.above(length, tag, 32);
    world.call(NAME, &[high, low, key, hash, control])
}

/// A round is at a cell: the half, and the cell's number.
fn start(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [_, _, key, hash, control] = parts(arguments)?;
    let tag = world.bits(key, 0, 32);
    let (half, number) = home(world, hash, tag, control)?;
    Ok(Step::round(0, [half, number]))
}

/// The half, and the number of a key's home.
pub fn home(world: &mut World<'_>, hash: Term, tag: Term, control: Term) -> Ruled<(Term, Term)> {
    let home = hash::home(world, hash, tag, control)?;
    let half = u64::from(world.has_bit(control, HALF)?);
    let half = world.constant(half);
    let first = cell::first_of_half(world, half)?;
    Ok((half, world.add(first, home)))
}

fn round(world: &mut World<'_>, arguments: &[Term], Round { number: round, state }: &Round) -> Ruled<Step> {
    let [high, low, key, _, _] = parts(arguments)?;
    let [half, number] = parts(state)?;
    let none = Step::Returns(world.constant(0));
    if *round == MOST {
        return Ok(none);
    }
    let (tag, length) = (world.bits(key, 0, 32), world.bits(key, 32, 32));
    if cell::holds(world, number, tag, Some(length), [high, low])? {
        return Ok(Step::Returns(world.plus(number, 1)));
    }
    if cell::is_empty(world, number)? {
        return Ok(none);
    }
    let first = cell::first_of_half(world, half)?;
    let next = cell::next(world, first, number)?;
    Ok(Step::round(round + 1, [half, next]))
}

/// The cell is one of the half.
fn invariant(world: &mut World<'_>, round: &Round) -> Vec<Term> {
    let within = |world: &mut World<'_>| {
        let [half, number] = parts(&round.state)?;
        let first = cell::first_of_half(world, half)?;
        cell::is_within(world, first, number)
    };
    within(world).map_or_else(|_| vec![world.domain.terms.truth(false)], Vec::from)
}
