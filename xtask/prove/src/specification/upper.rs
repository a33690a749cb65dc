//! DESIGN.md, 5: what there is behind the IP header: ports, or an ICMP message.

use crate::{
    specification::{
        stage::{Family, Flow, Stage},
        world::{Ruled, World, one_of},
    },
    term::{Term, Terms},
};

/// TCP, UDP, DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u64; 5] = [6, 17, 33, 132, 136];

/// What follows the IP header and its extensions.
pub struct Upper {
    pub family: Family,
    pub protocol: Term,
    pub at: Term,
    /// How many bytes there are by the IP header.
    pub left: Term,
    pub fragment: bool,
}

impl Upper {
    /// Whether so many bytes are there, both by the IP header and in the frame.
    pub fn holds(&self, world: &mut World<'_>, size: u64) -> Ruled<bool> {
        let least = world.constant(size);
        Ok(world.is_at_least(self.left, least)? && world.is_there(self.at, size)?)
    }

    pub fn is_icmp(&self, world: &mut World<'_>) -> Ruled<bool> {
        let protocol = world.domain.terms.zero_extend(self.protocol, 64);
        world.is(protocol, self.family.icmp())
    }

    pub fn has_ports(&self, world: &mut World<'_>) -> Ruled<bool> {
        let condition = with_ports(&mut world.domain.terms, self.protocol);
        world.ask(condition)
    }
}

/// The protocol has ports.
pub fn with_ports(terms: &mut Terms, protocol: Term) -> Term {
    one_of(terms, protocol, &WITH_PORTS)
}

/// The bytes that an ICMP message has at least.
pub const ICMP: u64 = 8;
/// Both ports.
pub const PORTS: u64 = 4;

/// Unreachable, time exceeded, parameter problem; in ICMPv6 also too big.
pub fn is_error(world: &mut World<'_>, family: Family, kind: Term) -> Ruled<bool> {
    match family {
        Family::V4 => world.is_one_of(kind, &[3, 11, 12]),
        Family::V6 => world.is_one_of(kind, &[1, 2, 3, 4]),
    }
}

/// MLD and neighbour discovery, which no service takes.
pub fn is_kept(world: &mut World<'_>, family: Family, kind: Term) -> Ruled<bool> {
    match family {
        Family::V4 => Ok(false),
        Family::V6 => world.is_one_of(kind, &[130, 131, 132, 133, 134, 135, 136, 137, 143]),
    }
}

/// The flow of a packet whose ports count as 0.
pub fn portless(world: &mut World<'_>, upper: &Upper, source: Vec<Term>, destination: Vec<Term>) -> Stage {
    let zero = world.domain.terms.constant(0, 8);
    Stage::Flow(Flow {
        family: upper.family,
        source,
        destination,
        source_port: vec![zero; 2],
        destination_port: vec![zero; 2],
        protocol: upper.protocol,
        fragment: upper.fragment,
        has_ports: false,
    })
}
