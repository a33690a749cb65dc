//! Rolls back changes that are not confirmed in time.
//!
//! Before such a change, the configuration in force is written to a file in `/run/modlb`, and a process starts to
//! wait. It runs in its own session, and in its own control group where systemd runs, so it survives the terminal, the
//! connection, the command and the unit that ran it. While it lives it holds a lock, which the kernel releases however
//! a process ends; so others can see whether it still waits. If it is killed, a running agent takes its place.
//!
//! In doubt a change is rolled back: only an explicit mark in the record, or its removal by a command that finds nobody
//! waiting, confirms it. Marking, removing and acting on it require the instance's lock, so a confirmation and a
//! rollback cannot both happen.

mod abandoned;
mod go_back;
pub(super) mod record;
mod scope;
#[cfg(test)]
mod tests;
pub(super) mod waiter;

pub use self::{
    abandoned::{Abandoned, News},
    go_back::{roll_back, wait},
    record::{Found, Pending, find, refuse, settle},
};
