//! DESIGN.md, 5: IPv6 headers (RFC 8200, 3). How extension headers are skipped is `ext_headers::walk`'s affair: any
//! function of where they start, how many bytes are left, which protocol comes first, and which fragments count.

use crate::{
    contracts,
    specification::{
        outcome::Outcome::{Malformed, TooManyHeaders},
        stage::Family,
        upper::Upper,
        world::{Ruled, World},
    },
    term::Term,
};

pub const HEADER: u64 = 40;

/// Hop-by-hop options, routing, fragment, AH, destination options.
pub const EXTENSIONS: [u64; 5] = [0, 43, 44, 51, 60];

/// The fields of a header that is well-formed.
pub struct Header {
    /// The length of what follows it.
    pub payload: Term,
    pub next: Term,
    pub source: Vec<Term>,
    pub destination: Vec<Term>,
}

/// `None`: it is broken.
pub fn header(world: &mut World<'_>, place: Term) -> Ruled<Option<Header>> {
    if !world.is_there(place, HEADER)? {
        return Ok(None);
    }
    let first = world.number(place, 1);
    let version = world.bits(first, 4, 4);
    if !world.is(version, 6)? {
        return Ok(None);
    }
    let at = |world: &mut World<'_>, offset: u64| world.plus(place, offset);
    let (payload, next, source, destination) = (at(world, 4), at(world, 6), at(world, 8), at(world, 24));
    Ok(Some(Header {
        payload: world.number(payload, 2),
        next: world.bytes(next, 1)[0],
        source: world.bytes(source, 16),
        destination: world.bytes(destination, 16),
    }))
}

/// Which fragments have no ports.
#[derive(Clone, Copy)]
pub enum Fragments {
    All = 0,
    /// A quoted first one has.
    Later = 1,
}

/// Where the upper layer starts, behind the extension headers at `at`.
///
/// # Errors
///
/// `malformed`, `too_many_headers`.
pub fn upper(world: &mut World<'_>, at: Term, left: Term, next: Term, fragments: Fragments) -> Ruled<Upper> {
    let protocol = world.domain.terms.zero_extend(next, 64);
    if !world.is_one_of(protocol, &EXTENSIONS)? {
        return Ok(Upper { family: Family::V6, protocol: next, at, left, fragment: false });
    }
    let fragments = world.constant(fragments as u64);
    let end = world.function(contracts::WALK, &[at, left, protocol, fragments]);
    let flag = |world: &mut World<'_>, bit| {
        let flag = world.bits(end, bit, 1);
        world.is(flag, 1)
    };
    if flag(world, 9)? {
        return Err(Malformed.into());
    }
    if flag(world, 10)? {
        return Err(TooManyHeaders.into());
    }
    let fragment = flag(world, 8)?;
    let protocol = world.domain.terms.slice(end, 0, 8);
    Ok(Upper { family: Family::V6, protocol, at: world.bits(end, 16, 15), left: world.bits(end, 32, 32), fragment })
}
