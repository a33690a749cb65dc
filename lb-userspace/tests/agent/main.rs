//! The agent: what it follows and finds out, and that its end does not disturb traffic.

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod checks;
mod commands;
mod confirm;
mod emptied;
mod exhausted;
mod file;
mod https;
mod initial;
mod interfaces;
mod killed;
mod life;
mod load;
mod mend;
mod neighbours;
mod process;
mod room;
mod scale;
mod waiting;
mod watched;
