//! What the user asked for.

use std::path::PathBuf;

use clap::Parser;

use crate::result::Group;

/// The command line, as `cargo xtask bench` hands it on.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub struct Options {
    /// Fewer and shorter rounds
    #[arg(long)]
    pub quick: bool,
    /// This part alone
    #[arg(long, value_name = "GROUP")]
    pub only: Option<Group>,
    /// Where the JSON and the charts are written
    #[arg(long, value_name = "DIRECTORY")]
    pub out: Option<PathBuf>,
    /// An earlier run's JSON
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// The command that is measured
    #[arg(long, value_name = "PATH")]
    pub modlb: PathBuf,
}
