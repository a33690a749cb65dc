//! DESIGN.md, 5: IPv6 extension headers (RFC 8200, 4; AH: RFC 4302, 2; atomic fragments: RFC 6946). Up to 8 are looked
//! through, anywhere in the chain.

use crate::{
    assumptions::PLACE_BITS,
    contracts,
    specification::{
        call::{self, Round, Rule, Step, parts},
        ipv6::EXTENSIONS,
        world::{Ruled, World},
    },
    term::Term,
};

pub const RULE: Rule = Rule { name: contracts::WALK, start, round, invariant: call::nothing };

const FRAGMENT: u64 = 44;
const AH: u64 = 51;
/// How many headers are looked through.
const MOST: u64 = 8;
/// What every header starts with: the next one's protocol, and this one's length.
const START: u64 = 2;
const FRAGMENT_SIZE: u64 = 8;

/// What it returns instead of a place.
const MALFORMED: u64 = 1 << 9;
const TOO_MANY: u64 = 1 << 10;

/// A place that takes 15 bits, how many bytes are left there by the IP header (32 bits), and the protocol.
struct Place {
    protocol: Term,
    at: Term,
    left: Term,
}

impl Place {
    fn of(world: &mut World<'_>, [at, left, protocol]: [Term; 3]) -> Self {
        Self { protocol: world.bits(protocol, 0, 8), at: world.bits(at, 0, PLACE_BITS), left: world.bits(left, 0, 32) }
    }

    /// Whether so many bytes are there, by the IP header and in the frame.
    fn holds(&self, world: &mut World<'_>, size: u64) -> Ruled<bool> {
        let least = world.constant(size);
        Ok(world.is_at_least(self.left, least)? && world.is_there(self.at, size)?)
    }

    /// That the walk ends here: the protocol, a bit for fragments, the place, and how many bytes are left.
    fn end(&self, world: &mut World<'_>, is_fragment: bool) -> Step {
        let flag = world.constant(is_fragment.into());
        let low = world.above(flag, self.protocol, 8);
        let place = world.above(self.left, self.at, 16);
        Step::Returns(world.above(place, low, 16))
    }
}

/// Which fragments count is 0 for all.
fn start(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [at, left, protocol, fragments] = parts(arguments)?;
    let fragments = world.bits(fragments, 0, 32);
    let all = u64::from(world.is(fragments, 0)?);
    let all = world.constant(all);
    Ok(Step::round(0, [at, left, protocol, all]))
}

/// One header, or what follows the last one.
fn round(world: &mut World<'_>, _: &[Term], Round { number, state }: &Round) -> Ruled<Step> {
    let [at, left, protocol, all] = parts(state)?;
    let here = Place::of(world, [at, left, protocol]);
    if !world.is_one_of(here.protocol, &EXTENSIONS)? {
        return Ok(here.end(world, false));
    }
    if *number == MOST {
        return Ok(Step::Returns(world.constant(TOO_MANY)));
    }
    let malformed = Step::Returns(world.constant(MALFORMED));
    let is_fragment = world.is(here.protocol, FRAGMENT)?;
    if !here.holds(world, if is_fragment { FRAGMENT_SIZE } else { START })? {
        return Ok(malformed);
    }
    let next = world.number(here.at, 1);
    if is_fragment && counts(world, &here, all)? {
        return Ok(Place { protocol: next, ..here }.end(world, true));
    }
    let size = size(world, &here)?;
    if world.is_below(here.left, size)? {
        return Ok(malformed);
    }
    let behind = world.add(here.at, size);
    let at = world.bits(behind, 0, PLACE_BITS);
    let left = world.minus(here.left, size);
    Ok(Step::round(number + 1, [at, left, next, all]))
}

/// Whether the fragment header makes the packet a fragment. With neither an offset nor more to follow it is a whole
/// packet; of quoted packets only those with an offset count.
fn counts(world: &mut World<'_>, here: &Place, all: Term) -> Ruled<bool> {
    let place = world.plus(here.at, 2);
    let field = world.number(place, 2);
    let (offset, more) = (world.bits(field, 3, 13), world.bits(field, 0, 1));
    Ok(!world.is(offset, 0)? || world.is(all, 1)? && world.is(more, 1)?)
}

/// How long the header is: by its length's units of 8 bytes, without the first; AH's units have 4 bytes, without the
/// first two.
fn size(world: &mut World<'_>, here: &Place) -> Ruled<Term> {
    if world.is(here.protocol, FRAGMENT)? {
        return Ok(world.constant(FRAGMENT_SIZE));
    }
    let place = world.plus(here.at, 1);
    let length = world.number(place, 1);
    let (unit, without) = if world.is(here.protocol, AH)? { (4, 2) } else { (8, 1) };
    let units = world.plus(length, without);
    Ok(world.times(units, unit))
}
