//! The sole owner of BPF state: pins, lock, maps, programs, links, and the publication of a configuration.
//!
//! ```text
//! lifecycle  makes, opens and removes instances                tracing  swaps traced programs in and out
//! publish    writes the idle half, then activates it           trial    runs an unattached program on given frames
//! upgrade    takes over a running instance of the version before
//! ────────────────────────────────────────────────────────────────────────────────────────────────────────────
//! attach/    programs on interfaces
//! layout/    a configuration → the contents of a half: pure
//! former/    reads the pins of the version before
//! store/     pins and maps: the configuration in force, and counters
//! ────────────────────────────────────────────────────────────────────────────────────────────────────────────
//! error  capacities  place  sys  kill_point
//! ```

pub mod attach;
pub mod capacities;
pub mod error;
mod former;
mod kill_point;
pub mod layout;
pub mod lifecycle;
pub mod place;
pub mod publish;
pub mod store;
mod sys;
pub mod tracing;
pub mod trial;
pub mod upgrade;

pub use attach::{Holder, Link, Misfit, Mode, Port, PortMode, PortState, attached, link_programs, pass, ports};
pub use capacities::{Capacities, InstanceOptions, Need};
pub use error::{Error, Result};
pub use lifecycle::remove;
pub use place::{Location, Placed};
pub use store::{Datapath, Snapshot, Stamp, Totals, Watch, Writer, table::host_limits};
