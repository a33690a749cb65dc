//! `cargo xtask prove`: proofs about the bytecode that the kernel is handed. docs/PROOF.md says what they mean.

#![allow(clippy::wildcard_enum_match_arm, reason = "a rule is for some kinds of terms; all others stay as they are")]

mod assumptions;
mod bits;
mod calculate;
mod compare;
mod domain;
mod eval;
mod facts;
mod image;
mod insn;
mod machine;
mod memory;
mod numbers;
mod paths;
mod planted;
#[cfg(test)]
mod properties;
mod refute;
mod report;
mod rewrite;
mod smtlib;
mod solver;
mod state;
mod sum;
mod symbolic;
mod term;
mod theorem;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Proves that the datapath's fast path decides as its general path does.
#[derive(Debug, Parser)]
struct Options {
    /// The datapath's object file
    object: PathBuf,
    /// Only this program: balancer or balancer_frags
    #[arg(long, value_name = "PROGRAM")]
    only: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Plant faults in the object, one at a time (those with this word in their name), and fail unless each is refuted
    #[arg(long, value_name = "WORD", num_args = 0..=1, default_missing_value = "", conflicts_with = "json")]
    planted: Option<String>,
}

const PROGRAMS: [&str; 2] = ["balancer", "balancer_frags"];

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is proven.
fn run(options: &Options) -> Result<bool> {
    let file = std::fs::read(&options.object).with_context(|| format!("reading {}", options.object.display()))?;
    let image = image::Image::read(&file)?;
    let known = |only: &String| PROGRAMS.contains(&only.as_str());
    ensure!(options.only.as_ref().is_none_or(known), "the programs are {}", PROGRAMS.join(" and "));
    if let Some(word) = &options.planted {
        return planted::run(&image, options.only.as_deref().unwrap_or(PROGRAMS[0]), word);
    }
    let mut programs = Vec::new();
    for program in PROGRAMS.into_iter().filter(|program| options.only.as_deref().is_none_or(|only| only == *program)) {
        programs.push(report::prove(&image, program)?);
        if !options.json {
            report::print(programs.last().context("nothing was proven")?);
        }
    }
    if options.json {
        println!("{:#}", report::json(&file, &programs));
    } else {
        println!("{}", report::summary(&file));
    }
    Ok(programs.iter().all(report::Report::is_proven))
}
