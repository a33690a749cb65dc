//! DESIGN.md, 5: frames that are not for this host, standby, and VLAN tags.

use crate::{
    specification::{
        outcome::Outcome::{Malformed, NotIp, NotOurs, Standby},
        stage::{self, Family, Stage},
        world::{Ruled, World},
    },
    symbolic::Symbolic,
    term::Term,
};

/// Destination, source, EtherType.
pub const ETHERNET: u64 = 14;
pub const ETHER_TYPE: u64 = 12;
pub const TAG: u64 = 4;
/// 802.1Q and 802.1ad.
pub const TAGS: [u64; 2] = [0x8100, 0x88a8];
const MAX_TAGS: usize = 2;
/// The bit of the control word.
const STANDBY: u32 = 1;

/// Who the frame is for is judged first. Up to two tags are looked through.
pub fn frame(world: &mut World<'_>) -> Ruled<Stage> {
    let start = world.constant(0);
    if !world.is_there(start, ETHERNET)? {
        return Err(Malformed.into());
    }
    if !is_ours(world)? {
        return Err(NotOurs.into());
    }
    let standby = standby(world.domain);
    if world.ask(standby)? {
        return Err(Standby.into());
    }
    let mut place = ETHERNET;
    let at = world.constant(ETHER_TYPE);
    let mut kind = world.number(at, 2);
    for _ in 0..MAX_TAGS {
        if !world.is_one_of(kind, &TAGS)? {
            break;
        }
        let tag = world.constant(place);
        if !world.is_there(tag, TAG)? {
            return Err(Malformed.into());
        }
        place += TAG;
        let at = world.constant(place - 2);
        kind = world.number(at, 2);
    }
    match () {
        () if world.is(kind, 0x0800)? => Ok(Stage::Network { family: Family::V4, place }),
        () if world.is(kind, 0x86dd)? => Ok(Stage::Network { family: Family::V6, place }),
        () => Err(NotIp.into()),
    }
}

/// Nothing is forwarded, by the control word.
pub fn standby(domain: &mut Symbolic) -> Term {
    let control = domain.control();
    let bit = domain.terms.slice(control, STANDBY, 1);
    let one = domain.terms.constant(1, 1);
    domain.terms.equal(bit, one)
}

/// Its destination is the interface's own MAC, or one of VRRP's: 00:00:5e:00:01:xx and 00:00:5e:00:02:xx.
fn is_ours(world: &mut World<'_>) -> Ruled<bool> {
    let start = world.constant(0);
    let mut bytes = world.bytes(start, 6);
    // User space fills the number in as it stands in memory, the first byte lowest.
    bytes.reverse();
    let destination = stage::number(&mut world.domain.terms, &bytes);
    let Some(own) = world.domain.number("INTERFACE_MAC") else { return Ok(false) };
    if world.are_equal(destination, own)? {
        return Ok(true);
    }
    let fifth = world.constant(4);
    let (head, kind) = (world.number(start, 4), world.number(fifth, 1));
    Ok(world.is(head, 0x0000_5e00)? && world.is_one_of(kind, &[1, 2])?)
}
