//! DESIGN.md, 2 to 5: the server that the formula names, and frames that are not balanced again.

use crate::{
    specification::{
        cell::{Cell, Field, Slot, flag},
        count,
        lookup::hash,
        outcome::Outcome::{self, Local, Loop},
        send,
        stage::{self, Verdict},
        world::{Ruled, World},
    },
    term::Term,
};

/// This host is no server of the service.
const NOT_HERE: u64 = 0xffff_ffff;
/// The tag of cells that name a peer.
const PEER: u64 = 0xb0;

/// What becomes of a packet of this service.
pub fn decide(world: &mut World<'_>, cell: &Cell, slot: &Slot, relative: Term) -> Ruled<Verdict> {
    let first = cell.field(world, Field::FirstCounter)?;
    let counter = world.add(first, relative);
    if !slot.is_indirect(world)? {
        count::server(world, counter)?;
        return send::back(world, slot);
    }
    if cell.has(world, flag::PEERS)? {
        if is_from_peer(world, cell)? {
            return Err(take(world, cell)?.into());
        }
    } else if cell.has(world, flag::EXIT)? {
        return send::by_exit(world, cell, slot, counter);
    }
    send::by_next_hop(world, counter)
}

/// Whether the frame's source is the MAC of one of the service's peers.
fn is_from_peer(world: &mut World<'_>, cell: &Cell) -> Ruled<bool> {
    let place = world.constant(6);
    let mut source = world.bytes(place, 6);
    source.reverse();
    let mac = stage::number(&mut world.domain.terms, &source);
    let set = cell.field(world, Field::Peers)?;
    let (tag, hash, control) = (world.constant(PEER), hash::of_address(world, [set, mac]), world.domain.control());
    let found = world.call("modlb_probe", &[set, mac, tag, hash, control]);
    Ok(!world.is(found, 0)?)
}

/// This host takes what a peer sent it, if it is a server of the service.
fn take(world: &mut World<'_>, cell: &Cell) -> Ruled<Outcome> {
    let here = cell.field(world, Field::Here)?;
    if world.is(here, NOT_HERE)? {
        return Ok(Loop);
    }
    let first = cell.field(world, Field::FirstCounter)?;
    let counter = world.add(first, here);
    count::server(world, counter)?;
    Ok(Local)
}
