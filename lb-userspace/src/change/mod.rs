//! Brings an instance to a wanted state.
//!
//! ```text
//! plan       the difference between two configurations: pure
//! resolve    finds servers' MACs and locations
//! lockout    checks whether the operator would be cut off
//! apply      changes the configuration of a running instance
//! reconcile  brings an instance to a configuration and interfaces
//! relocate   the same configuration on other interfaces
//! rollback   rolls back changes that are not confirmed
//! ```

pub mod apply;
pub mod lockout;
pub mod plan;
pub mod reconcile;
pub mod relocate;
pub mod resolve;
pub mod rollback;
