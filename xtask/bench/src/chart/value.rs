//! A value in a chart.

use crate::result::Row;

/// A figure with its quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl From<&Row> for Value {
    fn from(row: &Row) -> Self {
        Self { low: row.low, median: row.median, high: row.high }
    }
}
