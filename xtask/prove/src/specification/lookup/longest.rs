//! The longest prefix with a tag, by halves (Waldvogel et al., 1997): where there is a cell of a length, a service's or
//! a marker, longer ones are tried, else shorter ones.

use crate::{
    specification::{
        call::{self, Round, Rule, Step, parts},
        lookup::{cell, filter, hash, key, probe::probe},
        world::{Ruled, World},
    },
    term::Term,
};

pub const NAME: &str = "modlb_longest";

pub const RULE: Rule = Rule { name: NAME, start, round, invariant: call::nothing };

/// As many tries as 128 lengths take.
const TRIES: u64 = 8;

/// The lengths that are in use, of a half and a family; the longest first.
pub struct Lengths {
    place: Term,
}

impl Lengths {
    const TABLE: &'static str = "PREFIXES";
    const SIZE: u64 = 136;
    const MOST_BITS: u32 = 7;
    /// Where fields are: how many there are, the lengths, flags, and their last byte, the first step.
    const COUNT: u64 = 0;
    const LENGTHS: u64 = 4;
    const FLAGS: u64 = 132;
    const STEP: u64 = 135;

    pub fn of(world: &mut World<'_>, control: Term, six: bool) -> Self {
        Self { place: filter::of_half(world, control, six, Self::SIZE) }
    }

    fn field(&self, world: &mut World<'_>, offset: u64, size: u64) -> Ruled<Term> {
        let place = world.plus(self.place, offset);
        world.table(Self::TABLE, place, size)
    }

    pub fn flags(&self, world: &mut World<'_>) -> Ruled<Term> {
        self.field(world, Self::FLAGS, 4)
    }

    /// How many bytes behind the longest the first try may be at most.
    fn first_step(&self, world: &mut World<'_>) -> Ruled<Term> {
        self.field(world, Self::STEP, 1)
    }

    /// The length with this number; `None`: there are not so many.
    pub fn get(&self, world: &mut World<'_>, number: Term) -> Ruled<Option<Term>> {
        let count = self.field(world, Self::COUNT, 4)?;
        if !world.is_below(number, count)? {
            return Ok(None);
        }
        let number = world.bits(number, 0, Self::MOST_BITS);
        let place = world.add(self.place, number);
        let place = world.plus(place, Self::LENGTHS);
        world.table(Self::TABLE, place, 1).map(Some)
    }
}

/// A round is a try: the family, the number of the longest length that is left, how far from one before it the try is,
/// and the best prefix so far.
fn start(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [_, _, tag, control] = parts(arguments)?;
    let six = key::is_six(world, tag)?;
    let step = Lengths::of(world, control, six).first_step(world)?;
    let (six, zero) = (world.constant(six.into()), world.constant(0));
    Ok(Step::round(0, [six, zero, step, zero]))
}

fn round(world: &mut World<'_>, arguments: &[Term], Round { number: round, state }: &Round) -> Ruled<Step> {
    let [high, low, tag, control] = parts(arguments)?;
    let [six, first, step, best] = parts(state)?;
    if *round == TRIES || world.is(step, 0)? {
        return Ok(Step::Returns(best));
    }
    let six_addresses = world.is(six, 1)?;
    let lengths = Lengths::of(world, control, six_addresses);
    let half_step = world.bits(step, 1, 63);
    let next = |first, best| Ok(Step::round(round + 1, [six, first, half_step, best]));
    let middle = world.add(first, step);
    let before = world.plus(middle, u64::MAX);
    let middle = world.bits(before, 0, 32);
    let Some(length) = lengths.get(world, middle)? else { return next(first, best) };
    let halves = hash::mask(world, [high, low], length)?;
    let hash = hash::of_prefix(world, halves, length);
    let tag = world.bits(tag, 0, 32);
    let found = probe(world, halves, (length, tag), hash, control);
    if world.is(found, 0)? {
        let behind = world.plus(middle, 1);
        return next(behind, best);
    }
    let number = world.plus(found, u64::MAX);
    let found = cell::best(world, number)?;
    next(first, found.unwrap_or(best))
}
