//! `cargo xtask bench`: how fast modlb is.
//!
//! Trap: absolute times drift, here by 15 % within minutes. So everything that is compared is measured in turn within
//! each of many rounds, and only the ratio within a round counts.
//!
//! ```text
//! program    how long the program takes for a packet       result     a measurement's figures
//! scaling    how that grows                                 report     all of them: the table, the JSON
//! packets    packets per second from end to end             chart      the charts
//! control    what commands take                             compare    what got slower
//! keep       connections that break, by simulation
//! servers    role `keep` on real servers: its cost, and connections that break
//!                                                           difference is it more than noise?
//! driver     test runs of a program                         machine    where and when
//! frame      the packets                                    progress   what is going on, on stderr
//! table      the configurations                             interrupt  Ctrl-C, so that nothing is left behind
//! gateway    an instance, its program checked               namespace  network namespaces
//! floor      programs that modlb is compared with           modlb      the command
//! rounds     interleaved measuring                          command    other programs
//! case       what is timed, and its comparison              wire       a generator, a gateway, and a sink
//! ```

mod case;
mod chart;
mod command;
mod compare;
mod control;
mod cpu;
mod difference;
mod driver;
mod floor;
mod frame;
mod gateway;
mod interrupt;
mod keep;
mod machine;
mod modlb;
mod namespace;
mod options;
mod packets;
mod paths;
mod program;
mod progress;
mod report;
mod result;
mod rounds;
mod scaling;
mod servers;
mod table;
mod wire;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;

use self::{
    compare::compare, machine::Machine, options::Options, progress::Progress, report::Report, result::Group,
    servers::real::echo,
};

/// Where a full run of everything is written unless the user names another place.
const DIRECTORY: &str = "docs/benchmarks";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(echo::ARGUMENT) {
        return if echo::serve(arguments).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match run(&Options::parse()) {
        Ok(nothing_slower) => {
            if nothing_slower {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(_) if interrupt::happened() => {
            eprintln!("\ninterrupted; everything was removed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns false if something is slower than in the run to compare with.
fn run(options: &Options) -> Result<bool> {
    interrupt::install()?;
    // Files that cannot be read or written should be found before minutes of measuring.
    let before = options.compare.as_deref().map(Report::read).transpose()?;
    let directory = directory(options);
    if let Some(directory) = directory {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let report = measure(options)?;
    print!("{}", report.table());
    if let Some(directory) = directory {
        report.write(directory)?;
        let charts = chart::write(&report, directory)?;
        println!("\nWritten to {}: {}, {}", directory.display(), report::JSON, charts.join(", "));
    }
    let Some(before) = before else { return Ok(true) };
    let comparison = compare(&before, &report);
    println!("\nAgainst commit {} ({} UTC):\n{}", before.machine.commit, before.machine.date, comparison.text());
    Ok(comparison.slower.is_empty())
}

/// A partial or shorter run does not overwrite a full one unless the user names that place.
fn directory(options: &Options) -> Option<&Path> {
    let whole = !options.quick && options.only.is_none() && options.compare.is_none();
    options.out.as_deref().or(whole.then_some(Path::new(DIRECTORY)))
}

fn measure(options: &Options) -> Result<Report> {
    let machine = Machine::here()?;
    let mut progress = Progress::new();
    let mut rows = Vec::new();
    for group in Group::ALL {
        if options.only.is_none_or(|only| only == group) {
            rows.extend(match group {
                Group::Program => program::run(options, &mut progress)?,
                Group::Scaling => scaling::run(options, &mut progress)?,
                Group::Paths => paths::run(options, &mut progress)?,
                Group::Packets => packets::run(options, &mut progress)?,
                Group::Control => control::run(options, &mut progress)?,
                Group::Keep => keep::run(options, &mut progress)?,
                Group::Servers => servers::run(options, &mut progress)?,
            });
        }
    }
    progress.finish();
    Ok(Report { machine, quick: options.quick, rows })
}
