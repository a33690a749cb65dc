//! Packets per second from end to end.

use anyhow::Result;

use crate::{Options, progress::Progress, result::Row};

/// Measures this part.
pub fn run(_options: &Options, _progress: &mut Progress) -> Result<Vec<Row>> {
    Ok(Vec::new())
}
