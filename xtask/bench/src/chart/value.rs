//! What a chart draws.

use crate::result::Row;

/// A figure with its quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// A quarter is below.
    pub low: f64,
    /// Half is below.
    pub median: f64,
    /// A quarter is above.
    pub high: f64,
}

impl From<&Row> for Value {
    fn from(row: &Row) -> Self {
        Self { low: row.low, median: row.median, high: row.high }
    }
}
