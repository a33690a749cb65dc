//! The benchmark's own programs, which modlb is compared with.

use anyhow::{Result, ensure};
use lb_common::mac::Mac;

use crate::{
    driver::{Driver, Hook, Slot},
    frame::{Frame, INTERFACE, Shape, Spread},
    gateway::{TC_NEXT, XDP_PASS, XDP_TX},
};

/// The MAC that they send everything to.
const SERVER: Mac = Mac([0x02, 0xff, 0, 0, 0, 0x09]);

/// Their places in the drivers' tables.
#[derive(Clone, Copy, Debug)]
pub struct Floors {
    /// Returns `XDP_TX` at once.
    pub empty: Slot,
    /// Checks bounds, rewrites both MACs, and returns `XDP_TX`.
    pub rewrite: Slot,
    /// Reads what modlb reads, then rewrites both MACs and returns `XDP_TX`.
    pub parse_and_rewrite: Slot,
    /// Reads what modlb reads, and returns `XDP_PASS`.
    pub parse_and_pass: Slot,
    /// On egress: returns `TC_ACT_UNSPEC` at once.
    pub egress_empty: Slot,
    /// On egress: checks bounds, rewrites the destination's MAC, and returns `TC_ACT_UNSPEC`.
    pub egress_rewrite: Slot,
}

/// The driver with these programs, this many of each.
pub fn load(copies: usize) -> Result<(Driver, Floors)> {
    let mut driver = Driver::new(INTERFACE, SERVER)?;
    let floors = Floors {
        empty: driver.add_copies("empty", copies)?,
        rewrite: driver.add_copies("rewrite", copies)?,
        parse_and_rewrite: driver.add_copies("parse_and_rewrite", copies)?,
        parse_and_pass: driver.add_copies("parse_and_pass", copies)?,
        egress_empty: driver.add_copies("egress_empty", copies)?,
        egress_rewrite: driver.add_copies("egress_rewrite", copies)?,
    };
    Ok((driver, floors))
}

impl Floors {
    /// The empty program of the same hook.
    pub const fn empty_beside(&self, slot: Slot) -> Slot {
        match slot.hook() {
            Hook::Xdp => self.empty,
            Hook::Egress => self.egress_empty,
        }
    }

    /// Checks that each program works as intended with these packets.
    pub fn check(&self, driver: &mut Driver, shape: &Shape, spread: Spread) -> Result<()> {
        let both = [SERVER.0, INTERFACE.0].concat();
        for (slot, action, head) in [
            (self.empty, XDP_TX, &[][..]),
            (self.rewrite, XDP_TX, &both),
            (self.parse_and_rewrite, XDP_TX, &both),
            (self.parse_and_pass, XDP_PASS, &[]),
            (self.egress_empty, TC_NEXT, &[]),
            (self.egress_rewrite, TC_NEXT, &SERVER.0),
        ] {
            let run = driver.once(slot, &Frame::new(shape), spread, self.empty_beside(slot), 1)?;
            let wanted = [head, &run.before[head.len()..]].concat();
            ensure!(run.action == action, "{slot:?}, {shape:?}: the verdict is {} instead of {action}", run.action);
            ensure!(run.after == wanted, "{slot:?}, {shape:?}: {:02x?} instead of {wanted:02x?}", run.after);
        }
        Ok(())
    }
}
