//! Everything that brings an instance to a wanted state.
//!
//! ```text
//! plan       what has to change: pure
//! resolve    servers' MACs, and where they are
//! lockout    whether the operator would be cut off
//! apply      a change of a running instance
//! reconcile  an instance brought to a configuration and to interfaces
//! relocate   the same configuration for another set of interfaces
//! rollback   changes taken back unless somebody confirms
//! ```

pub mod apply;
pub mod lockout;
pub mod plan;
pub mod reconcile;
pub mod relocate;
pub mod resolve;
pub mod rollback;
