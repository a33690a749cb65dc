//! The agent: what it follows, what it finds out, and that traffic does not notice when it ends.

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
