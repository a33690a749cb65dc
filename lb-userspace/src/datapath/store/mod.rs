//! Pins and maps: the configuration in force, and counters.
//!
//! ```text
//! pins      where everything is pinned, and the lock      instance  opens and checks an instance
//! maps      the pinned maps as typed memory               snapshot  reads the active half
//! records   configuration ↔ records                       counters  per-CPU counters
//! table     the size of each map                          totals    sums for services, servers and outcomes
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
