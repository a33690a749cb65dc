//! Decides by the configuration what happens to a packet. Pure.
//!
//! ```text
//! judge   which service and server take a packet      explain        the same with the arithmetic, to be shown
//! slots   a service → its slot table                  config_digest  shows whether balancers agree
//! demand  how many slots it all takes                 frame          a frame → the fields that the formula adds up
//! peers   whose frames are not balanced again             keep           who may hold a connection after a change
//! ```

pub mod config_digest;
pub mod demand;
pub mod explain;
pub mod frame;
pub mod judge;
pub mod keep;
pub mod peers;
pub mod slots;
