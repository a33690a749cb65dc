//! Pins of an instance that an upgrade makes again: how they replace those of the former ABI.
//!
//! Links stay where they are. Each other pin replaces its namesake by being renamed. The record of the instance is the
//! last: as long as it is the former one, commands refuse the instance, except for those that go on here.

use std::fs;

use super::pins::Pins;
use crate::datapath::{
    error::{Error, Result},
    kill_point,
};

/// The first pin to be renamed. Commands of the former ABI refuse the new one by its size.
const FIRST: &str = "HALVES";

/// The last.
const LAST: &str = "INSTANCE";

impl Pins {
    /// Whether the pins beside the instance are all there.
    pub(in crate::datapath) fn is_whole(&self) -> bool {
        self.map(FIRST).exists()
    }

    /// Replaces pins of the instance by those beside it, or goes on with that.
    pub(in crate::datapath) fn replace_by_beside(&self) -> Result<()> {
        let beside = self.beside();
        let mut names = beside.entries()?;
        names.sort_unstable_by_key(|name| (name == LAST, name != FIRST));
        for name in names {
            let (from, to) = (beside.map(&name), self.map(&name));
            fs::rename(&from, &to).map_err(Error::io(format!("renaming {} to {}", from.display(), to.display())))?;
            kill_point::step();
        }
        self.discard_beside()
    }

    /// Removes what an upgrade left beside the instance. No program that is attached may use it. What somebody else put
    /// there is not the instance's, and keeps no command from its work.
    pub(in crate::datapath) fn discard_beside(&self) -> Result<()> {
        let beside = self.beside();
        match beside.exist() {
            Ok(true) => beside.remove(),
            Ok(false) | Err(Error::Untrusted { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
