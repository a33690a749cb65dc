//! Rolls back changes that are not confirmed in time.
//!
//! Before such a change, the configuration in force is written to a file in `/run/modlb`, and a process starts to
//! wait. It runs in a separate session, so it survives the terminal, the connection and the command. While it lives
//! it holds a lock on the file, which the kernel releases however a process ends; so others can see whether it still
//! waits.
//!
//! Changing the file, or acting on it, requires the instance's lock. So a confirmation and a rollback cannot both
//! happen.

mod go_back;
pub(super) mod record;
#[cfg(test)]
mod tests;
pub(super) mod waiter;

pub use self::{
    go_back::{roll_back, wait},
    record::{Found, Pending, find, refuse, settle},
};
