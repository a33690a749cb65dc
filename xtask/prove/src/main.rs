//! `cargo xtask prove`: proofs about the bytecode that the kernel is handed. docs/PROOF.md says what they mean.

#![allow(clippy::wildcard_enum_match_arm, reason = "a rule is for some kinds of terms; all others stay as they are")]

mod assumptions;
mod bits;
mod calculate;
mod compare;
mod domain;
mod eval;
mod facts;
mod helpers;
mod image;
mod insn;
mod kernel;
mod machine;
mod memory;
mod numbers;
mod paths;
mod planted;
#[cfg(test)]
mod properties;
mod random;
mod refute;
mod report;
mod rewrite;
mod smtlib;
mod solver;
mod state;
mod sum;
mod symbolic;
mod tables;
mod term;
mod theorem;
mod value;

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
    /// Change so many instructions by chance, one at a time, and fail unless each change is refuted or proven harmless
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "planted"])]
    mutations: Option<u64>,
    /// Compare the prover's machine with the kernel on so many random frames and tables; needs root
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000",
        conflicts_with_all = ["json", "planted", "mutations"])]
    kernel: Option<u64>,
    /// Where random numbers begin
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
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
    let wanted: Vec<_> =
        PROGRAMS.into_iter().filter(|program| options.only.as_deref().is_none_or(|only| only == *program)).collect();
    if let Some(word) = &options.planted {
        return planted::run(&file, &image, options.only.as_deref(), word);
    }
    if let Some(count) = options.mutations {
        return planted::mutations(&file, &image, &wanted, count, options.seed);
    }
    if let Some(states) = options.kernel {
        return kernel::trial::run(&file, &image, &wanted, states, options.seed);
    }
    let mut programs = Vec::new();
    for program in wanted {
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
