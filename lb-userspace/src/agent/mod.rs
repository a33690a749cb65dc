//! The agent: one process that keeps an instance as its configuration says, and true to the network around it. Traffic never
//! depends on it.

mod checks;
pub mod view;
