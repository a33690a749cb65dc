//! What keeping connections needs, as [`lb_common::keep`] describes it. It lies behind the slots.

use lb_common::table::{ServiceCell, Slot};

use super::ledger::Account;
use crate::{
    config::model::Role,
    datapath::{
        error::{Error, Result},
        place::Placed,
    },
};

mod bits;
mod lists;
mod rankings;

use bits::BitTables;
use rankings::RankingTables;

/// The tables of a configuration.
pub(super) enum KeepTables<'a> {
    /// Role `keep`.
    Rankings(RankingTables<'a>),
    /// Role `member`.
    Bits(BitTables<'a>),
}

impl<'a> KeepTables<'a> {
    /// What the services need, if the role keeps connections.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyHolders`]: a service has so many servers that a counter would be no server's.
    /// [`Error::Capacity`]: it does not fit.
    pub fn find(placed: &'a Placed, accounts: &[Account], capacity: u32) -> Result<Option<Self>> {
        let (tables, what) = match placed.config.role {
            Role::Balancer | Role::Steer => return Ok(None),
            Role::Keep => {
                let tables = RankingTables::find(placed, accounts)?;
                (Self::Rankings(tables), "slots, of which rankings take three each,")
            }
            Role::Member => (Self::Bits(BitTables::find(placed)), "slots, with those for connections that are kept,"),
        };
        let (needed, capacity) = (tables.room(), capacity.into());
        if needed > capacity {
            return Err(Error::Capacity { what, needed, capacity, option: "--max-slots" });
        }
        Ok(Some(tables))
    }

    /// How many words of the map of slots they take up at most.
    pub fn room(&self) -> u64 {
        match self {
            Self::Rankings(tables) => tables.room(),
            Self::Bits(tables) => tables.room(),
        }
    }

    /// Appends them to the slots of a half that starts at `half_slots`, and completes the services' cells. `taken`: the
    /// numbers of the services' counters of packets that this host was the last to take.
    pub fn build(
        &self,
        placed: &Placed,
        (accounts, taken): (&[Account], &[u32]),
        half_slots: u32,
        half: (&mut Vec<Slot>, &mut [ServiceCell]),
    ) {
        match self {
            Self::Rankings(tables) => tables.build(placed, (accounts, taken), half_slots, half),
            Self::Bits(tables) => tables.build(placed, accounts, half_slots, half),
        }
    }
}
