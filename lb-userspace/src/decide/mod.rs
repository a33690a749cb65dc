//! Decides by the configuration what happens to a packet. Pure.
//!
//! ```text
//! judge   which service and server take a packet      explain        the same with the arithmetic, to be shown
//! slots   a service → its slot table                  config_digest  shows whether balancers agree
//! frame   a frame → the fields that the formula adds up
//! ```

pub mod config_digest;
pub mod explain;
pub mod frame;
pub mod judge;
pub mod slots;
