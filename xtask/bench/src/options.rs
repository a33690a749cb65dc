//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::result::Group;

/// The command line, as `cargo xtask bench` passes it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub struct Options {
    /// Fewer and shorter rounds
    #[arg(long)]
    pub quick: bool,
    /// Only this part
    #[arg(long, value_name = "GROUP")]
    pub only: Option<Group>,
    /// Where to write the JSON and the charts
    #[arg(long, value_name = "DIRECTORY")]
    pub out: Option<PathBuf>,
    /// The JSON of an earlier run to compare with
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// The command to measure
    #[arg(long, value_name = "PATH")]
    pub modlb: PathBuf,
}
