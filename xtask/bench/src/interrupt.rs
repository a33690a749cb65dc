//! Ctrl-C, as every task of `cargo xtask` handles it.

#[path = "../../src/interrupt.rs"]
mod shared;

pub use self::shared::{check, happened, install};
