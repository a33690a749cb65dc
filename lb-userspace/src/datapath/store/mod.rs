//! Pins and maps: what is in force, and what was counted.
//!
//! ```text
//! pins      where everything is, and who may change it    instance  one set of maps, found and checked
//! maps      the pinned maps as typed memory               snapshot  what the active half holds
//! records   configuration ↔ records, both ways            counters  per-CPU values
//! table     how much each map holds                       totals    what was counted
//! grace     waits for running programs
//! ```

pub mod counters;
pub mod grace;
pub mod instance;
pub mod maps;
pub mod pins;
pub(super) mod records;
pub mod snapshot;
pub(super) mod table;
pub mod totals;

pub use instance::{Datapath, Writer};
pub use pins::Stamp;
pub use snapshot::Snapshot;
pub use totals::Totals;
