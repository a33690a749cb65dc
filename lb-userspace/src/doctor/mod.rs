//! What is wrong with a host, and how to fix it.
//!
//! ```text
//! gather       reads facts: from the kernel, from the drivers, from the link
//! facts        the facts, as plain values
//! checks       facts → findings, pure: one file for each group
//! finding      what one check found
//! translation  rules that translate services' addresses
//! command      commands for the right network namespace and instance
//! probe        asks the link who has an address
//! ```

pub mod checks;
pub mod command;
pub mod facts;
pub mod finding;
pub mod gather;
pub mod probe;
pub mod translation;
