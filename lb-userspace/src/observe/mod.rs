//! Repeated readings of an instance, for the metrics, the status page, `modlb top` and `modlb stats --watch`.
//! Everything is read from the pins: this needs no agent and changes nothing.
//!
//! ```text
//! status   what is in force, as views            reading     status, counters and capacities at one moment
//! sampler  the last two readings                 changes     two readings → what differs (pure)
//! list     filter and order (pure)               agent_view  what the agent publishes about itself
//! agent_record   what it records for commands              connections  what a server holds and hands on
//! ```

pub mod agent_record;
pub mod agent_view;
pub mod changes;
pub mod connections;
pub mod lateness;
pub mod list;
pub mod local_error;
mod reading;
mod sampler;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;

pub use reading::{Reading, Used, stats};
pub use sampler::Sampler;
