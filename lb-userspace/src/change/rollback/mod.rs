//! Changes that are taken back unless somebody confirms them.
//!
//! Before such a change is made, what is in force goes to a file in `/run/modlb`, and a process of a session of its own
//! starts to wait: it survives the terminal, the connection and the command. Being there is a lock on that file, which
//! the kernel lets go of however a process ends; so a record that nobody waits for is recognised as such.
//!
//! Who changes the file, or acts by it, holds the instance's lock. Thus a confirmation and a rollback cannot both
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
