//! The agent: what it follows and finds out, and that its end does not disturb traffic.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod commands;
mod file;
mod interfaces;
mod killed;
mod load;
mod neighbours;
mod process;
mod scale;
