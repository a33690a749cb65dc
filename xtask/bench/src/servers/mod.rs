//! Role `keep` on real servers: what it costs, and what it keeps.
//!
//! ```text
//! cost      nanoseconds for a packet              host          a server with instances in role `keep`
//! traffic   throughput, new connections           connections   sockets in the kernel's table
//! real      connections that break on real hosts
//! ```

mod connections;
mod cost;
mod host;
pub mod real;
mod traffic;

use anyhow::Result;

use crate::{options::Options, progress::Progress, result::Row};

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = cost::run(options, progress)?;
    rows.extend(traffic::run(options, progress)?);
    rows.extend(real::run(options, progress)?);
    Ok(rows)
}
