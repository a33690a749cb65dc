//! DESIGN.md, 3 to 5: how a frame is sent to its server: the addresses and the tag that it gets, and the interface.

use std::rc::Rc;

use crate::{
    contracts::{DEVICES, REDIRECTION, XDP_REDIRECT},
    domain::Domain as _,
    insn::Alu,
    specification::{
        cell::{Cell, Field, Slot},
        count,
        link_layer::{ETHER_TYPE, ETHERNET, TAG, TAGS},
        outcome::Outcome::{Local, Unreachable},
        stage::Verdict,
        world::{Ruled, World},
    },
    term::Term,
};

const XDP_TX: u64 = 3;

/// How to reach a server that a slot alone does not describe: where the fields are, and how long it is.
mod next_hop {
    pub const SIZE: u64 = 24;
    pub const VLAN: u64 = 4;
    pub const DESTINATION: u64 = 8;
    pub const SOURCE: u64 = 14;

    /// As interface: this host; the interface that the frame came in by.
    pub const LOCAL: u64 = 0;
    pub const SAME_PORT: u64 = 0xffff_ffff;
    /// As VLAN: the outer tag goes; tags stay.
    pub const UNTAGGED: u64 = 0;
    pub const KEEP: u64 = 0xffff_ffff;
}

/// A MAC, or another few bytes, the first first.
type Bytes = Vec<Term>;

/// By the interface that it came in by, to the slot's MAC. It is counted already.
pub fn back(world: &mut World<'_>, slot: &Slot) -> Ruled<Verdict> {
    let destination = world.domain.bytes(&slot.0, 6);
    let source = own(world)?;
    address(world, destination, source);
    done(world, XDP_TX)
}

/// By the interface that leads to all servers of the service, to the slot's MAC without its mark.
pub fn by_exit(world: &mut World<'_>, cell: &Cell, slot: &Slot, counter: Term) -> Ruled<Verdict> {
    let interface = cell.field(world, Field::Peers)?;
    let action = by(world, interface)?;
    let mark = world.constant(!1);
    let without = world.calculate(Alu::And, slot.0, mark);
    let destination = world.domain.bytes(&without, 6);
    let (start, end) = (cell.field(world, Field::Here)?, cell.field(world, Field::Directory)?);
    let source = [world.domain.bytes(&start, 4), world.domain.bytes(&end, 2)].concat();
    address(world, destination, source);
    count::server(world, counter)?;
    done(world, action)
}

/// As the entry for the server says. What can fail comes before anything is written.
pub fn by_next_hop(world: &mut World<'_>, counter: Term) -> Ruled<Verdict> {
    let Some(server) = entry(world, counter)? else {
        count::server(world, counter)?;
        return Err(Local.into());
    };
    let interface = field(world, server, 0, 4)?;
    let is_same = world.is(interface, next_hop::SAME_PORT)?;
    let action = if is_same { XDP_TX } else { by(world, interface)? };
    tag(world, server)?;
    let destination = bytes(world, server, next_hop::DESTINATION, 6)?;
    let source = if is_same { own(world)? } else { bytes(world, server, next_hop::SOURCE, 6)? };
    address(world, destination, source);
    count::server(world, counter)?;
    done(world, action)
}

/// Where the entry is. `None`: the server is this host.
fn entry(world: &mut World<'_>, counter: Term) -> Ruled<Option<Term>> {
    let (control, counters) = (world.domain.control(), world.filled_in("COUNTERS")?);
    let index = if world.has_bit(control, 0)? { world.add(counters, counter) } else { counter };
    let index = world.bits(index, 0, 32);
    let both = world.times(counters, 2);
    if !world.is_below(index, both)? {
        return Ok(None);
    }
    let size = world.constant(next_hop::SIZE);
    let entry = world.calculate(Alu::Mul, index, size);
    let interface = field(world, entry, 0, 4)?;
    Ok(if world.is(interface, next_hop::LOCAL)? { None } else { Some(entry) })
}

fn field(world: &mut World<'_>, entry: Term, offset: u64, size: u64) -> Ruled<Term> {
    let place = world.plus(entry, offset);
    world.table("REMOTES", place, size)
}

fn bytes(world: &mut World<'_>, entry: Term, offset: u64, size: u32) -> Ruled<Bytes> {
    let number = field(world, entry, offset, size.into())?;
    Ok(world.domain.bytes(&number, size))
}

/// The action that sends a frame by an interface: that which it came in by, or another, if frames can be sent there.
fn by(world: &mut World<'_>, interface: Term) -> Ruled<u64> {
    let own = world.filled_in("INTERFACE")?;
    if world.are_equal(interface, own)? {
        return Ok(XDP_TX);
    }
    let devices: Rc<str> = DEVICES.into();
    let (device, to) = (world.domain.table_byte(&devices, &interface)?, world.constant(0));
    world.store(REDIRECTION, to, 4, interface);
    let is_there = !world.is_byte(device, 0)?;
    if is_there { Ok(XDP_REDIRECT) } else { Err(Unreachable.into()) }
}

/// The frame gets the VLAN that the entry says. Priority and drop eligibility of a tag stay.
fn tag(world: &mut World<'_>, server: Term) -> Ruled<()> {
    let at = world.constant(ETHER_TYPE);
    let kind = world.number(at, 2);
    let (vlan, is_tagged) = (field(world, server, next_hop::VLAN, 4)?, world.is_one_of(kind, &TAGS)?);
    if world.is(vlan, next_hop::UNTAGGED)? {
        return if is_tagged { move_start(world, TAG as i64) } else { Ok(()) };
    }
    if world.is(vlan, next_hop::KEEP)? {
        return Ok(());
    }
    let mut control = world.domain.bytes(&vlan, 2);
    control.reverse();
    if is_tagged {
        let place = world.constant(ETHERNET);
        let before = world.number(place, 1);
        let mask = world.constant(0xf0);
        let kept = world.calculate(Alu::And, before, mask);
        let upper = world.domain.terms.zero_extend(control[0], 64);
        let both = world.calculate(Alu::Or, kept, upper);
        control[0] = world.domain.terms.slice(both, 0, 8);
        world.effects.write(ETHERNET, &control);
        return Ok(());
    }
    move_start(world, -(TAG as i64))?;
    let kind = TAGS[0].to_be_bytes();
    let kind: Vec<_> = kind[6..].iter().map(|byte| world.domain.terms.constant(u64::from(*byte), 8)).collect();
    world.effects.write(ETHER_TYPE, &[kind, control].concat());
    Ok(())
}

/// There may be no room, or too little may be left of the frame.
fn move_start(world: &mut World<'_>, by: i64) -> Ruled<()> {
    let moves = world.domain.moves(by);
    if !world.ask(moves)? {
        return Err(Unreachable.into());
    }
    world.effects.start += by;
    Ok(())
}

/// Destination, then source.
fn address(world: &mut World<'_>, destination: Bytes, source: Bytes) {
    world.effects.write(0, &[destination, source].concat());
}

/// The interface's own MAC.
fn own(world: &mut World<'_>) -> Ruled<Bytes> {
    let own = world.filled_in("INTERFACE_MAC")?;
    Ok(world.domain.bytes(&own, 6))
}

fn done(world: &mut World<'_>, action: u64) -> Ruled<Verdict> {
    Ok(Verdict { action: world.constant(action), effects: std::mem::take(&mut world.effects) })
}
