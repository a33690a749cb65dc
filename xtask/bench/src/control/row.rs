//! Rows of this part.

use crate::result::{Group, Row};

/// One row.
pub fn row(name: impl Into<String>, unit: &str, values: &[f64]) -> Row {
    Row::new(Group::Control, name, unit, values)
}
