//! How fine tables with a server down are.
//!
//! The usual refinement spreads the share of a server that is down evenly over the others. Where there is no room for
//! that, tables are coarser, all of them alike, down to T = N: a function of the configuration and of the room, so
//! balancers with the same room agree.

use std::fmt;

use lb_common::limits::{MAX_SLOTS_PER_SERVICE, REFINED_SLOTS};

use crate::config::model::{Selection, Service};

/// A table with a server down has at least this many slots, unless it has N.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Refinement(u32);

impl Default for Refinement {
    fn default() -> Self {
        Self(REFINED_SLOTS)
    }
}

impl fmt::Display for Refinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            _ if *self == Self::default() => f.write_str("tables with a server down have their usual number of slots"),
            Self(slots) => write!(
                f,
                "tables with a server down have at least {slots} slots instead of {REFINED_SLOTS}, for want of room: what \
                 a server that is down leaves is spread less evenly, and digests differ from those of balancers with \
                 more room"
            ),
        }
    }
}

impl Refinement {
    /// T = N.
    pub const COARSEST: Self = Self(1);

    /// All that are tried, the usual one first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=REFINED_SLOTS.ilog2()).map(|halvings| Self(REFINED_SLOTS >> halvings))
    }

    /// The number in records.
    pub const fn slots(self) -> u32 {
        self.0
    }

    /// The reverse; 0 is in records without services.
    pub const fn from_slots(slots: u32) -> Self {
        Self(if slots == 0 { REFINED_SLOTS } else { slots })
    }

    /// K: how often the N slots are repeated, if `up` of `servers` servers take flows.
    pub fn times(self, n: u32, up: usize, servers: usize) -> u32 {
        match n {
            0 => 0,
            n if up > 0 && up < servers => self.finest(n),
            _ => 1,
        }
    }

    /// How often the N slots are repeated while a server is down.
    pub(super) fn finest(self, n: u32) -> u32 {
        match n {
            0 => 0,
            n => self.0.div_ceil(n).min(MAX_SLOTS_PER_SERVICE / n).max(1),
        }
    }

    /// How many slots a service's table takes up if `up` of its servers take flows. If none does, none.
    pub fn room(self, Extent { selection, n, servers }: Extent, up: usize) -> u32 {
        match selection {
            _ if up == 0 => 0,
            Selection::Modulo => n * self.times(n, up, servers),
            Selection::Resilient { slots } => slots,
        }
    }
}

/// What the size of a service's table depends on, besides who takes flows. It is counted once, as lists are long.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    selection: Selection,
    n: u32,
    servers: usize,
}

impl Extent {
    /// That of a service.
    pub fn of(service: &Service) -> Self {
        Self { selection: service.selection, n: service.n(), servers: service.listed().count() }
    }
}
