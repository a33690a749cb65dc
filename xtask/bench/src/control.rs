//! What commands take, and what traffic notices of them.

mod commands;
mod loss;
mod memory;
mod moment;
mod publish;

use anyhow::Result;

use crate::{
    Options,
    progress::Progress,
    result::{Group, Row},
};

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = publish::run(options, progress)?;
    rows.extend(commands::run(options, progress)?);
    rows.extend(moment::run(options, progress)?);
    rows.extend(loss::run(options, progress)?);
    rows.extend(memory::run(options, progress)?);
    Ok(rows)
}

/// A row of this part.
fn row(name: impl Into<String>, unit: &str, values: &[f64]) -> Row {
    Row::new(Group::Control, name, unit, values)
}
