//! The targets. Fuzzers call them, and so do tests with every input in `seeds` and `regressions`.
//!
//! A target panics if modlb does something wrong. Wrong input is never a reason to panic.

mod capture;
mod config;
mod parse;

pub use capture::capture;
pub use config::config;
pub use parse::parse;
