//! `cargo xtask bench`: how fast modlb is.
//!
//! Trap: absolute times drift, here by 15 % within minutes, so everything that is compared is measured in turn within
//! each of many rounds, and what counts is the ratio within a round.
//!
//! ```text
//! program    how long the program takes for a packet       result     what a measurement yields
//! scaling    how that grows                                 progress   what is going on, on stderr
//! packets    packets per second from end to end             interrupt  Ctrl-C, so that nothing is left behind
//! control    what commands take
//! ```

mod case;
mod command;
mod control;
mod cpu;
mod driver;
mod floor;
mod frame;
mod gateway;
mod interrupt;
mod modlb;
mod namespace;
mod packets;
mod program;
mod progress;
mod result;
mod rounds;
mod scaling;
mod table;
mod wire;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;

use self::{
    progress::Progress,
    result::{Group, Row},
};

/// What the user asked for.
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

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    interrupt::install()?;
    let mut progress = Progress::new();
    let mut rows = Vec::new();
    for group in Group::ALL {
        if options.only.is_none_or(|only| only == group) {
            rows.extend(measure(group, options, &mut progress)?);
        }
    }
    println!("{rows:#?}");
    Ok(())
}

fn measure(group: Group, options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    match group {
        Group::Program => program::run(options, progress),
        Group::Scaling => scaling::run(options, progress),
        Group::Packets => packets::run(options, progress),
        Group::Control => control::run(options, progress),
    }
}
