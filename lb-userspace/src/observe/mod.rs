//! Repeated readings of an instance, for the metrics, the status page, `modlb top` and `modlb stats --watch`.
//! Everything is read from the pins: this needs no agent and changes nothing.
//!
//! ```text
//! status   what is in force, as views            reading     status, counters and capacities at one moment
//! sampler  the last two readings                 changes     two readings → what differs (pure)
//! list     filter and order (pure)               agent_view  what the agent publishes about itself
//! ```

pub mod agent_view;
pub mod changes;
pub mod list;
mod reading;
mod sampler;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;

pub use reading::{Reading, Used, stats};
pub use sampler::Sampler;
