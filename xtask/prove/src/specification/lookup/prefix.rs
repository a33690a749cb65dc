//! Services with a prefix: the longest one that takes the packet, and of one length the most specific kind.

use crate::{
    specification::{
        call::{self, Round, Rule, Step, parts},
        lookup::{
            filter,
            hash::{self, Halves},
            key::{Key, PREFIXES},
            longest::{self, Lengths},
            probe::probe,
        },
        world::{Ruled, World},
    },
    term::Term,
};

pub const NAME: &str = "modlb_search_prefix";
const LENGTH: &str = "modlb_search_length";

pub const SEARCH_LENGTH: Rule = Rule::at_once(LENGTH, search_length);
pub const SEARCH_PREFIX: Rule = Rule { name: NAME, start, round, invariant: call::nothing };

/// The bit of the flags that says that there are markers. A kind's bit is its number.
const MARKED: u32 = 0;
/// How many lengths there can be.
const MOST: u64 = 128;

/// Addresses that no prefix takes, as bits and how many of them count: unspecified, loopback, link-local, multicast,
/// broadcast.
const SPECIAL4: [(u64, u32); 5] = [(0, 32), (127, 8), (0xa9fe, 16), (0xe, 4), (0xffff_ffff, 32)];
/// The first bits of an IPv6 address: link-local, multicast.
const SPECIAL6: [(u64, u32); 2] = [(0xfe80 >> 6, 10), (0xff, 8)];

/// The number of the cell plus 1, or 0.
fn start(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [high, low, lookup, control] = parts(arguments)?;
    let (key, zero) = (Key::of(world, lookup), world.constant(0));
    let six = key.is_six(world)?;
    if is_special(world, [high, low], six)? || is_own(world, [high, low], &key, six, control)? {
        return Ok(Step::Returns(zero));
    }
    let flags = Lengths::of(world, control, six).flags(world)?;
    if !world.has_bit(flags, MARKED)? {
        let six = world.constant(six.into());
        return Ok(Step::round(0, [six]));
    }
    let mut best = None;
    for (kind, tag) in key.candidates(world, &PREFIXES)? {
        // A kind that nobody uses has no prefix, of length 0.
        let found = match tag {
            Some(tag) if world.has_bit(flags, kind as u32)? => world.call(longest::NAME, &[high, low, tag, control]),
            _ => zero,
        };
        best = Some(match best {
            Some(best) if !is_longer(world, found, best)? => best,
            _ => found,
        });
    }
    let best = best.unwrap_or(zero);
    Ok(Step::Returns(world.bits(best, 0, 32)))
}

/// Without markers every length is tried, the longest first; a round is one of them.
fn round(world: &mut World<'_>, arguments: &[Term], Round { number: round, state }: &Round) -> Ruled<Step> {
    let [high, low, lookup, control] = parts(arguments)?;
    let [six] = parts(state)?;
    let (six, index, zero) = (world.is(six, 1)?, world.constant(*round), world.constant(0));
    if *round == MOST {
        return Ok(Step::Returns(zero));
    }
    let Some(length) = Lengths::of(world, control, six).get(world, index)? else { return Ok(Step::Returns(zero)) };
    let found = world.call(LENGTH, &[high, low, length, lookup, control]);
    if world.is(found, 0)? { Ok(Step::round(round + 1, state.iter().copied())) } else { Ok(Step::Returns(found)) }
}

/// The search among prefixes of one length.
fn search_length(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [high, low, length, lookup, control] = parts(arguments)?;
    let length = world.bits(length, 0, 32);
    let halves = hash::mask(world, [high, low], length)?;
    let hash = hash::of_prefix(world, halves, length);
    let key = Key::of(world, lookup);
    for (_, tag) in key.candidates(world, &PREFIXES)? {
        let Some(tag) = tag else { continue };
        let found = probe(world, halves, (length, tag), hash, control);
        if !world.is(found, 0)? {
            return Ok(Step::Returns(found));
        }
    }
    Ok(Step::Returns(world.constant(0)))
}

/// What a search for the longest returned has the length plus 1 above 32 bits.
fn is_longer(world: &mut World<'_>, one: Term, other: Term) -> Ruled<bool> {
    let (one, other) = (world.bits(one, 32, 32), world.bits(other, 32, 32));
    world.is_below(other, one)
}

fn is_special(world: &mut World<'_>, [high, low]: Halves, six: bool) -> Ruled<bool> {
    let (first, width, special) = if six { (high, 64, &SPECIAL6[..]) } else { (low, 32, &SPECIAL4[..]) };
    for (value, count) in special {
        let bits = world.bits(first, width - count, *count);
        if world.is(bits, *value)? {
            return Ok(true);
        }
    }
    // ::, and ::1.
    let most = world.constant(2);
    Ok(six && world.is(high, 0)? && world.is_below(low, most)?)
}

/// Whether it is an address of this host or a broadcast address of its networks. Packets *from* such an address may be
/// a service's.
fn is_own(world: &mut World<'_>, halves: Halves, key: &Key, six: bool, control: Term) -> Ruled<bool> {
    if !key.is_destination(world)? || !filter::may_be_own(world, halves, six, control)? {
        return Ok(false);
    }
    let (tag, hash, zero) = (key.own(world), hash::of_address(world, halves), world.constant(0));
    let found = probe(world, halves, (zero, tag), hash, control);
    Ok(!world.is(found, 0)?)
}
