//! DESIGN.md, 5: IPv4 headers (RFC 791, 3.1).

use crate::{
    specification::world::{Ruled, World},
    term::Term,
};

/// A header without options.
pub const HEADER: u64 = 20;

/// The fields of a header that is well-formed.
pub struct Header {
    /// Its length, options included.
    pub length: Term,
    /// The packet's length.
    pub total: Term,
    /// The field of fragments: three flags, then the offset.
    pub fragment: Term,
    pub protocol: Term,
    pub source: Vec<Term>,
    pub destination: Vec<Term>,
}

/// `None`: it is broken.
pub fn header(world: &mut World<'_>, place: Term) -> Ruled<Option<Header>> {
    if !world.is_there(place, HEADER)? {
        return Ok(None);
    }
    let first = world.number(place, 1);
    let (words, version) = (world.bits(first, 0, 4), world.bits(first, 4, 4));
    let length = world.times(words, 4);
    let at = |world: &mut World<'_>, offset: u64| world.plus(place, offset);
    let (total, fragment) = (at(world, 2), at(world, 6));
    let (total, fragment) = (world.number(total, 2), world.number(fragment, 2));
    let least = world.constant(HEADER);
    if !world.is(version, 4)? || !world.is_at_least(length, least)? || !world.is_at_least(total, length)? {
        return Ok(None);
    }
    let (protocol, source, destination) = (at(world, 9), at(world, 12), at(world, 16));
    Ok(Some(Header {
        length,
        total,
        fragment,
        protocol: world.bytes(protocol, 1)[0],
        source: world.bytes(source, 4),
        destination: world.bytes(destination, 4),
    }))
}
