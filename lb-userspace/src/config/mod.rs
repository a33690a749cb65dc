//! The configuration: the file (`file`), and types that are always valid (`model`).
//!
//! ```text
//! text ──serde──▶ file ──words, addresses──▶ draft ──rules──▶ model::Config
//!                                            model::Config::validate ──▶ the same rules
//! ```
//!
//! Imports go the other way, in a line: `model` ← `draft` ← `rules` ← `file`, and `model` ← `standing`.

mod draft;
mod error;
pub mod file;
pub mod model;
pub mod protocol;
mod rules;
pub mod standing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
