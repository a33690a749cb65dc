//! Pins and maps: the configuration in force, and counters.
//!
//! ```text
//! pins      where everything is pinned, and the lock      instance  opens and checks an instance
//! maps      the pinned maps as typed memory               snapshot  reads the active half
//! records   configuration ↔ records                       counters  per-CPU counters
//! table     makes the maps, in their sizes                totals    sums for services, servers and outcomes
//! watch     what is polled of an instance                 grace     waits for running programs
//! bpffs     mounts the BPF file system where that lasts
//! private   directories and files that only root opens    mounts    who sees a mounted BPF file system
//! beside    pins of an upgrade, until they replace the instance's    carried   what was counted before an upgrade
//! ```

mod beside;
pub mod bpffs;
pub(super) mod carried;
pub mod counters;
pub mod grace;
pub mod instance;
pub mod maps;
mod mounts;
mod own;
pub mod pins;
pub mod private;
pub(super) mod records;
pub mod snapshot;
pub(super) mod table;
pub mod totals;
mod watch;

pub use instance::{Datapath, Writer};
pub use pins::Stamp;
pub use snapshot::Snapshot;
pub use totals::Totals;
pub use watch::Watch;
