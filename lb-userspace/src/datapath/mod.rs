//! The sole owner of BPF state: pins, lock, maps, programs, links, and the publication of a configuration.
//!
//! ```text
//! lifecycle  makes, opens and removes instances                tracing  swaps traced programs in and out
//! publish    writes the idle half, then activates it           trial    runs an unattached program on given frames
//! ────────────────────────────────────────────────────────────────────────────────────────────────────────────
//! attach/    programs on interfaces
//! layout/    a configuration → the contents of a half: pure
//! store/     pins and maps: the configuration in force, and counters
//! ────────────────────────────────────────────────────────────────────────────────────────────────────────────
//! error  capacities  place  sys
//! ```

pub mod attach;
pub mod capacities;
pub mod error;
pub mod layout;
pub mod lifecycle;
pub mod place;
pub mod publish;
pub mod store;
mod sys;
pub mod tracing;
pub mod trial;

pub use attach::{Holder, Link, Mode, attached, link_programs, pass};
pub use capacities::{Capacities, InstanceOptions};
pub use error::{Error, Result};
pub use lifecycle::remove;
pub use place::{Location, Placed};
pub use store::{Datapath, Snapshot, Stamp, Totals, Writer};
