//! What a service must have besides the address: family and side, protocol, port; and which kinds of keys may take a
//! packet.

use crate::{
    specification::{
        upper,
        world::{Ruled, World},
    },
    term::Term,
};

/// What a packet is looked up by: the family's number (4 or 6) and above it the side, a bit for fragments, the
/// protocol, the port.
pub struct Key {
    /// Family and side.
    family: Term,
    fragment: Term,
    protocol: Term,
    port: Term,
}

/// The four kinds of keys of addresses, or of prefixes.
pub struct Kinds {
    pub port: u64,
    pub protocol: u64,
    pub any: u64,
    pub fragment: u64,
}

pub const ADDRESSES: Kinds = Kinds { port: 1, protocol: 2, any: 3, fragment: 4 };
pub const PREFIXES: Kinds = Kinds { port: 5, protocol: 6, any: 7, fragment: 8 };
/// No service: an address of this host, or a broadcast address of its networks.
const OWN: u64 = 9;

/// A kind of key, and its tag; `None`: the packet has none of the kind.
pub type Candidate = (u64, Option<Term>);

impl Key {
    /// From a number that holds all of it.
    pub fn of(world: &mut World<'_>, lookup: Term) -> Self {
        Self {
            family: world.bits(lookup, 0, 4),
            fragment: world.bits(lookup, 4, 1),
            protocol: world.bits(lookup, 8, 8),
            port: world.bits(lookup, 16, 16),
        }
    }

    /// Whether the family is IPv6.
    pub fn is_six(&self, world: &mut World<'_>) -> Ruled<bool> {
        is_six(world, self.family)
    }

    /// Whether the service is found by the packet's destination.
    pub fn is_destination(&self, world: &mut World<'_>) -> Ruled<bool> {
        Ok(!world.has_bit(self.family, 3)?)
    }

    /// Keys that take the packet, the most specific kind first. Of a fragment the ports are not known.
    pub fn candidates(&self, world: &mut World<'_>, kinds: &Kinds) -> Ruled<Vec<Candidate>> {
        let zero = world.constant(0);
        let any = (kinds.any, Some(tag(world, self.family, kinds.any, zero, zero)));
        let has_port = self.has_port(world)?;
        if world.is(self.fragment, 1)? {
            let fragment = tag(world, self.family, kinds.fragment, self.protocol, zero);
            return Ok(vec![(kinds.fragment, Some(fragment)), any]);
        }
        let port = has_port.then(|| tag(world, self.family, kinds.port, self.protocol, self.port));
        let protocol = tag(world, self.family, kinds.protocol, self.protocol, zero);
        Ok(vec![(kinds.port, port), (kinds.protocol, Some(protocol)), any])
    }

    /// The tag of address, protocol and port.
    pub fn port(&self, world: &mut World<'_>) -> Term {
        tag(world, self.family, ADDRESSES.port, self.protocol, self.port)
    }

    /// Whether the packet is no fragment, and its protocol has ports.
    pub fn has_port(&self, world: &mut World<'_>) -> Ruled<bool> {
        if world.is(self.fragment, 1)? {
            return Ok(false);
        }
        let protocol = world.domain.terms.slice(self.protocol, 0, 8);
        let has_ports = upper::with_ports(&mut world.domain.terms, protocol);
        world.ask(has_ports)
    }

    /// The tag of the host's own addresses, which have no side.
    pub fn own(&self, world: &mut World<'_>) -> Term {
        let (family, zero) = (world.bits(self.family, 0, 3), world.constant(0));
        tag(world, family, OWN, zero, zero)
    }
}

/// Whether the family that a tag or a key starts with is IPv6.
pub fn is_six(world: &mut World<'_>, family: Term) -> Ruled<bool> {
    let family = world.bits(family, 0, 3);
    world.is(family, 6)
}

/// Family and side, kind, protocol, port; the lowest bits first.
fn tag(world: &mut World<'_>, family: Term, kind: u64, protocol: Term, port: Term) -> Term {
    let kind = world.constant(kind);
    let low = world.above(kind, family, 4);
    let high = world.above(port, protocol, 8);
    let tag = world.above(high, low, 8);
    world.bits(tag, 0, 32)
}
