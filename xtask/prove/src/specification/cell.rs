//! A service's cell in the table of services, and its slots (`lb-common/src/table.rs`).

use crate::{
    domain::Domain as _,
    specification::{
        stage::Formula,
        world::{Ruled, World},
    },
    symbolic::Symbolic,
    term::Term,
};

/// Where its fields are.
#[derive(Clone, Copy)]
pub enum Field {
    Slots = 20,
    FirstSlot = 24,
    FirstCounter = 28,
    /// Three of them.
    Powers = 32,
    Flags = 44,
    /// The number of the set of peers, or of the interface that leads to all servers.
    Peers = 52,
    /// This host's counter among those of the service, or the first bytes of that interface's MAC.
    Here = 56,
    /// The last two bytes of that MAC.
    Directory = 60,
}

/// Bits of the flags.
pub mod flag {
    pub const FIVE_TUPLE: u32 = 0;
    pub const PASS: u32 = 1;
    pub const IN_ORDER: u32 = 2;
    pub const PEERS: u32 = 3;
    pub const EXIT: u32 = 6;
}

/// The cell of the packet's service.
pub struct Cell(pub Term);

impl Cell {
    pub fn field(&self, world: &mut World<'_>, field: Field) -> Ruled<Term> {
        self.number(world, field as u64)
    }

    /// The flags, with the bits that are known.
    pub fn flags(&self, domain: &mut Symbolic) -> Term {
        let flags = self.any_flags(domain);
        domain.facts.refine(&mut domain.terms, flags)
    }

    /// The same with nothing known of them.
    pub fn any_flags(&self, domain: &mut Symbolic) -> Term {
        let place = domain.constant(Field::Flags as u64);
        let place = domain.terms.add(self.0, place);
        domain.any_number("CELLS", place, 4)
    }

    /// What says by which formula.
    pub fn is_five_tuple(&self, domain: &mut Symbolic) -> Term {
        let flags = self.any_flags(domain);
        let bit = domain.terms.slice(flags, flag::FIVE_TUPLE, 1);
        let one = domain.terms.constant(1, 1);
        domain.terms.equal(bit, one)
    }

    pub fn number(&self, world: &mut World<'_>, offset: u64) -> Ruled<Term> {
        let place = world.plus(self.0, offset);
        world.table("CELLS", place, 4)
    }

    /// By what its server is found.
    pub fn formula(&self, world: &mut World<'_>) -> Ruled<Formula> {
        let is_five_tuple = self.is_five_tuple(world.domain);
        Ok(if world.ask(is_five_tuple)? { Formula::FiveTuple } else { Formula::ThreeTuple })
    }

    pub fn has(&self, world: &mut World<'_>, flag: u32) -> Ruled<bool> {
        let flags = self.field(world, Field::Flags)?;
        world.has_bit(flags, flag)
    }
}

/// One entry of a slot table: the server's MAC, and above it its counter among those of the service.
pub struct Slot(pub Term);

impl Slot {
    /// The group bit of the MAC: the frame does not simply go back.
    pub fn is_indirect(&self, world: &mut World<'_>) -> Ruled<bool> {
        world.has_bit(self.0, 0)
    }
}
