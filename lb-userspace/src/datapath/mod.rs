//! The sole owner of BPF state: pins, lock, maps, programs, links, and the publication of a configuration.
//!
//! ```text
//! lifecycle  instances made, opened to be changed, removed     tracing  programs that trace, swapped in and out again
//! publish    the idle half, then the one store                 trial    a program that is attached to nothing
//! ────────────────────────────────────────────────────────────────────────────────────────────────────────────
//! attach/    programs on interfaces
//! layout/    a configuration → the contents of a half: pure
//! store/     pins and maps: what is in force, and what was counted
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
