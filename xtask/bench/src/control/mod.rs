//! The cost of commands, and their effect on traffic.

mod agent;
mod bed;
mod commands;
mod large;
mod loss;
mod memory;
mod moment;
mod publish;
mod row;

use anyhow::Result;

use crate::{options::Options, progress::Progress, result::Row};

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = publish::run(options, progress)?;
    rows.extend(commands::run(options, progress)?);
    rows.extend(moment::run(options, progress)?);
    rows.extend(large::run(options, progress)?);
    rows.extend(agent::run(options, progress)?);
    rows.extend(loss::run(options, progress)?);
    rows.extend(memory::run(options, progress)?);
    Ok(rows)
}
