//! What an instance does, for those who look at it again and again: the metrics, the status page, `modlb top` and
//! `modlb stats --watch`. Everything is read from the pins; no agent is needed, and nothing is changed.
//!
//! ```text
//! status   what is in force, as views            reading   status, counters and capacities of one moment
//! rates    two readings → rates, spread (pure)   changes   two readings → what is different (pure)
//! sampler  the last two readings, through an instance's end and return       list   filter and order (pure)
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
