//! Configuration and packet → answer: pure.
//!
//! ```text
//! judge   which service and server take a packet      explain        the same with the arithmetic, for people
//! slots   a service → its slot table                  config_digest  what balancers that agree have in common
//! frame   a frame → the fields that the formula adds up
//! ```

pub mod config_digest;
pub mod explain;
pub mod frame;
pub mod judge;
pub mod slots;
