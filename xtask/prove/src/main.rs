//! `cargo xtask prove`: proofs about the bytecode that the kernel is handed. docs/PROOF.md says what they mean.

#![allow(clippy::wildcard_enum_match_arm, reason = "a rule is for some kinds of terms; all others stay as they are")]

mod assumptions;
mod bits;
mod calculate;
mod calls;
mod code_digest;
mod compare;
mod contracts;
mod cost;
mod domain;
mod ends;
mod eval;
mod facts;
mod general;
mod helpers;
mod image;
mod insn;
mod invariants;
mod joins;
mod kernel;
mod machine;
mod memory;
mod note;
mod numbers;
mod paths;
mod pending;
mod planted;
mod programs;
#[cfg(test)]
mod properties;
mod pure;
mod random;
mod rebuild;
mod refute;
mod report;
mod rewrite;
mod smtlib;
mod solver;
mod specification;
mod state;
mod sum;
mod symbolic;
mod table_sizes;
mod term;
mod theorem;
mod value;
mod world;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::code_digest::PROVEN_PROGRAMS;

/// Proves that the datapath's fast path decides as its general path does, and that this reads packets as the design
/// says.
#[derive(Debug, Parser)]
struct Options {
    /// The datapath's object file
    object: PathBuf,
    /// Only this program: balancer, balancer_frags, member, member_frags or steer
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
    /// Only the theorem about the general path
    #[arg(long, conflicts_with_all = ["json", "planted", "mutations", "kernel", "all", "noted"])]
    general: bool,
    /// Everything: the theorems, all planted faults, 300 mutations, 10,000 states in the kernel
    #[arg(long, conflicts_with_all = ["json", "planted", "mutations", "kernel", "only"])]
    all: bool,
    /// The file that notes the digests of what was proven; one that is proven and not noted is a failure
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    noted: Option<PathBuf>,
    /// The compiler of the object, as that file names it; where the file has nothing of it, nothing needs to be noted
    #[arg(long, value_name = "TEXT", requires = "noted", default_value = "")]
    compiler: String,
    /// Note it there
    #[arg(long, requires = "noted")]
    note: bool,
    /// Where random numbers begin
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

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
    let wanted = match &options.only {
        Some(only) => vec![programs::find(only)?.name],
        None if options.all => programs::ALL.iter().map(|program| program.name).collect(),
        None => PROVEN_PROGRAMS.to_vec(),
    };
    if let Some(word) = &options.planted {
        return planted::run(&file, &image, options.only.as_deref(), word);
    }
    if let Some(count) = options.mutations {
        return planted::mutations(&file, &image, &wanted, count, options.seed);
    }
    if let Some(states) = options.kernel {
        return in_kernel(&file, &image, &wanted, states, options.seed);
    }
    if options.general {
        let reports = prove_general(options, &image, &wanted)?;
        ensure!(!reports.is_empty(), "that theorem is about {}", PROVEN_PROGRAMS.join(" and "));
        return Ok(reports.iter().all(general::Report::is_proven));
    }
    let is_proven = prove(options, &file, &image, &wanted)?;
    if !options.all {
        return Ok(is_proven);
    }
    let planted = planted::run(&file, &image, None, "")?;
    let mutations = planted::mutations(&file, &image, &PROVEN_PROGRAMS, MUTATIONS, options.seed)?;
    Ok(in_kernel(&file, &image, &PROVEN_PROGRAMS, STATES, options.seed)? && is_proven && planted && mutations)
}

/// How many mutations, and states in the kernel, make up everything.
const MUTATIONS: u64 = 300;
const STATES: u64 = 10_000;

/// Whether the machine does what the kernel does, and a fault is noticed.
fn in_kernel(file: &[u8], image: &image::Image, wanted: &[&str], states: u64, seed: u64) -> Result<bool> {
    let known = wanted.iter().all(|program| PROVEN_PROGRAMS.contains(program));
    ensure!(known, "random states are made for {}", PROVEN_PROGRAMS.join(" and "));
    let faulty = planted::example(image, wanted[0])?;
    kernel::trial::run(file, (image, &faulty), wanted, states, seed)
}

/// Whether the theorems are proven of the programs, and noted if it is to be.
fn prove(options: &Options, file: &[u8], image: &image::Image, wanted: &[&str]) -> Result<bool> {
    let mut programs = Vec::new();
    for program in wanted {
        programs.push(report::prove(image, program)?);
        if !options.json {
            report::print(programs.last().context("nothing was proven")?);
        }
    }
    let general = prove_general(options, image, wanted)?;
    if options.json {
        println!("{:#}", report::json(file, &programs, &general)?);
    } else {
        println!("{}", report::summary(file)?);
    }
    let is_proven = programs.iter().all(report::Report::is_proven) && general.iter().all(general::Report::is_proven);
    match &options.noted {
        Some(noted) if is_proven => note::check(noted, file, &options.compiler, options.note),
        _ => Ok(is_proven),
    }
}

/// The same of the theorem about the general path.
fn prove_general(options: &Options, image: &image::Image, wanted: &[&str]) -> Result<Vec<general::Report>> {
    let mut reports = Vec::new();
    for program in wanted.iter().filter(|program| PROVEN_PROGRAMS.contains(program)) {
        reports.push(general::prove(image, program, None)?);
        if !options.json {
            general::print(reports.last().context("nothing was proven")?);
        }
    }
    Ok(reports)
}
