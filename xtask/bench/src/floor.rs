//! The benchmark's own programs: what modlb is measured against.

use anyhow::{Result, ensure};
use lb_common::mac::Mac;

use crate::{
    driver::{Driver, Slot},
    frame::{Frame, INTERFACE, Shape, Spread},
    gateway::{XDP_PASS, XDP_TX},
};

/// Where they send everything.
const SERVER: Mac = Mac([0x02, 0xff, 0, 0, 0, 0x09]);

/// Their places in the driver's table.
#[derive(Clone, Copy, Debug)]
pub struct Floors {
    /// Returns `XDP_TX` at once.
    pub empty: Slot,
    /// Checks bounds, rewrites both MACs, and returns `XDP_TX`.
    pub rewrite: Slot,
    /// Reads what modlb reads, then does the same.
    pub parse_and_rewrite: Slot,
    /// Reads what modlb reads, and returns `XDP_PASS`.
    pub parse_and_pass: Slot,
}

/// The driver, with the floors in it.
pub fn load() -> Result<(Driver, Floors)> {
    let mut driver = Driver::new(INTERFACE, SERVER)?;
    let floors = Floors {
        empty: driver.add_own("empty")?,
        rewrite: driver.add_own("rewrite")?,
        parse_and_rewrite: driver.add_own("parse_and_rewrite")?,
        parse_and_pass: driver.add_own("parse_and_pass")?,
    };
    Ok((driver, floors))
}

impl Floors {
    /// Checks that each does with these packets what it is there for.
    pub fn check(&self, driver: &mut Driver, shape: &Shape, spread: Spread) -> Result<()> {
        for (slot, action, rewrites) in [
            (self.empty, XDP_TX, false),
            (self.rewrite, XDP_TX, true),
            (self.parse_and_rewrite, XDP_TX, true),
            (self.parse_and_pass, XDP_PASS, false),
        ] {
            let run = driver.once(slot, &Frame::new(shape), spread, self.empty, 1)?;
            let rewritten = [&SERVER.0, &INTERFACE.0, &run.before[12..]].concat();
            let wanted = if rewrites { &rewritten } else { &run.before };
            ensure!(run.action == action, "{slot:?}, {shape:?}: the verdict is {} instead of {action}", run.action);
            ensure!(run.after == *wanted, "{slot:?}, {shape:?}: {:02x?} instead of {wanted:02x?}", run.after);
        }
        Ok(())
    }
}
