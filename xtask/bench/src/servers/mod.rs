//! What role `keep` costs on a server: time for a packet, throughput, new connections.
//!
//! ```text
//! cost      nanoseconds for a packet       host          a server with instances in role `keep`
//! traffic   throughput, new connections    connections   sockets in the kernel's table
//! ```

mod connections;
mod cost;
mod host;
mod traffic;

use anyhow::Result;

use crate::{options::Options, progress::Progress, result::Row};

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = cost::run(options, progress)?;
    rows.extend(traffic::run(options, progress)?);
    Ok(rows)
}
