//! The third theorem: each function that the others take for an arbitrary one returns what the specification says.

mod body;
mod cuts;
mod few;
mod path;
mod prover;
mod report;
#[cfg(test)]
mod tests;

pub use self::report::{Report, fault, json, prove, text};
