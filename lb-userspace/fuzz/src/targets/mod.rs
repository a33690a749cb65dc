//! What the fuzzers call, and the tests with every input that is kept in `seeds` and `regressions`.
//!
//! A target returns if all is well and panics if not. Whatever it is handed comes from outside: nothing that is wrong
//! with it is a reason to panic.

mod capture;
mod config;
mod parse;

pub use capture::capture;
pub use config::config;
pub use parse::parse;
