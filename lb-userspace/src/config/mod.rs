//! The configuration: the file as it is written (`file`) and the types that cannot be wrong (`model`).
//!
//! ```text
//! text ──serde──▶ file::File ──words, addresses──▶ draft::Draft ──rules──▶ model::Config
//!                                                  model::Config::check ──▶ the same rules
//! ```

pub mod check;
mod draft;
mod error;
pub mod file;
mod group;
pub mod health;
pub mod model;
pub mod protocol;
mod rules;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
