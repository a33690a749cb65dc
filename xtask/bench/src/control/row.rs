//! Rows of this part.

use std::time::Duration;

use crate::result::{Group, Row};

/// One row.
pub fn row(name: impl Into<String>, unit: &str, values: &[f64]) -> Row {
    Row::new(Group::Control, name, unit, values)
}

/// A time as such rows have it.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
