//! The configuration: the file (`file`), and types that are always valid (`model`).
//!
//! ```text
//! text ──serde──▶ file ──words, addresses──▶ draft ──rules──▶ model::Config
//!                                            model::Config::validate ──▶ the same rules
//! ```
//!
//! Imports go the other way, in a line: `model` ← `draft` ← `rules` ← `file`, and `model` ← `standing`. Both report by
//! `report`: findings at a `path`, which `file` turns into problems at a place in the text.

mod draft;
mod error;
pub mod file;
pub mod model;
mod path;
pub mod problem;
pub mod protocol;
mod report;
mod rules;
pub mod standing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
