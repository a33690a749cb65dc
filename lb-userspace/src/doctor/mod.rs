//! What is wrong with a host, and what mends it.
//!
//! ```text
//! gather   reads facts: from the kernel, from the drivers, from the link
//! facts    the facts, as plain values
//! checks   facts → findings, pure: one file for each group
//! probe    asks the link who has an address
//! ```

pub mod checks;
pub mod facts;
pub mod finding;
pub mod gather;
pub mod probe;
pub mod ways;
