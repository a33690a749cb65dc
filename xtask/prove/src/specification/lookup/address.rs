//! Services with the very address, and the whole search. Match order: address, protocol and port; address and protocol;
//! address; then prefixes.

use crate::{
    specification::{
        call::{Rule, Step, parts},
        lookup::{
            filter, hash,
            key::{ADDRESSES, Key},
            prefix,
            probe::probe,
        },
        world::{Ruled, World},
    },
    term::Term,
};

const ADDRESS: &str = "modlb_search_address";

pub const SEARCH_ADDRESS: Rule = Rule::at_once(ADDRESS, search_address);
pub const SEARCH: Rule = Rule::at_once("modlb_search", search);

/// Bits of the control word: some service has no port, no protocol, a prefix.
pub const ANY_PORT: u32 = 2;
pub const ANY_PROTOCOL: u32 = 3;
pub const PREFIX: u32 = 4;

/// The number of the cell plus 1 of the most specific kind that has one, or 0.
fn search_address(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [high, low, lookup, control] = parts(arguments)?;
    let hash = hash::of_address(world, [high, low]);
    let (key, zero) = (Key::of(world, lookup), world.constant(0));
    for (kind, tag) in key.candidates(world, &ADDRESSES)? {
        let is_in_use = match kind {
            kind if kind == ADDRESSES.protocol => world.has_bit(control, ANY_PORT)?,
            kind if kind == ADDRESSES.any => world.has_bit(control, ANY_PROTOCOL)?,
            _ => true,
        };
        let Some(tag) = tag.filter(|_| is_in_use) else { continue };
        let found = probe(world, [high, low], (zero, tag), hash, control);
        if !world.is(found, 0)? {
            return Ok(Step::Returns(found));
        }
    }
    Ok(Step::Returns(zero))
}

/// Prefixes are for what no address has; the filter says whether they are worth a search.
fn search(world: &mut World<'_>, arguments: &[Term]) -> Ruled<Step> {
    let [high, low, lookup, control] = parts(arguments)?;
    let found = world.call(ADDRESS, arguments);
    if !world.is(found, 0)? {
        return Ok(Step::Returns(found));
    }
    let key = Key::of(world, lookup);
    if !world.has_bit(control, PREFIX)? {
        return Ok(Step::Returns(world.constant(0)));
    }
    let six = key.is_six(world)?;
    if !filter::may_match(world, [high, low], six, control)? {
        return Ok(Step::Returns(world.constant(0)));
    }
    Ok(Step::Returns(world.call(prefix::NAME, arguments)))
}
