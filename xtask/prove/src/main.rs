//! `cargo xtask prove`: proofs about the bytecode that the kernel is handed. docs/PROOF.md says what they mean.

#![allow(clippy::wildcard_enum_match_arm, reason = "a rule is for some kinds of terms; all others stay as they are")]

mod assumptions;
mod bits;
mod bounds;
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
mod functions;
mod half;
mod handed_on;
mod helpers;
mod image;
mod insn;
mod interval;
mod invariants;
mod joins;
mod kernel;
mod machine;
mod memory;
mod note;
mod numbers;
mod parallel;
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
mod remainder;
mod report;
mod rewrite;
mod smtlib;
mod solver;
mod specification;
mod stages;
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
use serde_json::Value;

use crate::{code_digest::PROVEN_PROGRAMS, programs::Program};

/// Proves that the datapath does with every packet what the specification says.
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
    /// Prove in one step, too, that the balancers' fast paths decide as their general paths do; takes minutes
    #[arg(long, conflicts_with_all = ["planted", "mutations", "kernel"])]
    direct: bool,
    /// Everything: the theorems, in one step as well, all planted faults, 300 mutations, 10,000 states in the kernel
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
        return planted::run(&file, options.only.as_deref(), word);
    }
    if let Some(count) = options.mutations {
        only_balancers(&wanted)?;
        return planted::mutations(&file, &image, &wanted, count, options.seed);
    }
    if let Some(states) = options.kernel {
        return in_kernel(&file, &image, &wanted, states, options.seed);
    }
    let is_proven = prove(options, &file, &wanted)?;
    if !options.all {
        return Ok(is_proven);
    }
    let planted = planted::run(&file, None, "")?;
    let mutations = planted::mutations(&file, &image, &PROVEN_PROGRAMS, MUTATIONS, options.seed)?;
    Ok(in_kernel(&file, &image, &PROVEN_PROGRAMS, STATES, options.seed)? && is_proven && planted && mutations)
}

/// How many mutations, and states in the kernel, make up everything.
const MUTATIONS: u64 = 300;
const STATES: u64 = 10_000;

/// Fails if there are others among the programs.
fn only_balancers(wanted: &[&str]) -> Result<()> {
    let all = wanted.iter().all(|program| PROVEN_PROGRAMS.contains(program));
    ensure!(all, "this is done for {}", PROVEN_PROGRAMS.join(" and "));
    Ok(())
}

/// Whether the machine does what the kernel does, and a fault is noticed.
fn in_kernel(file: &[u8], image: &image::Image, wanted: &[&str], states: u64, seed: u64) -> Result<bool> {
    only_balancers(wanted)?;
    let faulty = planted::example(image, wanted[0])?;
    kernel::trial::run(file, (image, &faulty), wanted, states, seed)
}

/// Whether the theorems are proven of the programs, and noted if it is to be.
fn prove(options: &Options, file: &[u8], wanted: &[&str]) -> Result<bool> {
    let mut jobs = Vec::new();
    for program in wanted {
        jobs.extend(theorems(programs::find(program)?, options).into_iter().map(|theorem| (theorem, *program)));
    }
    let (mut is_proven, json) = prove_all(options, file, &jobs)?;
    let balancers: Vec<_> = wanted.iter().copied().filter(|program| PROVEN_PROGRAMS.contains(program)).collect();
    let (functions, remainder) = if balancers.is_empty() {
        (Vec::new(), Value::Null)
    } else {
        let (are_proven, functions, remainder) = prove_rest(options, file, &balancers)?;
        is_proven &= are_proven;
        (functions, remainder)
    };
    if options.json {
        println!("{:#}", report::whole(file, &json, &functions, &remainder)?);
    } else {
        println!("{}", report::summary(file)?);
    }
    match &options.noted {
        Some(noted) if is_proven => note::check(noted, file, &options.compiler, options.note),
        _ => Ok(is_proven),
    }
}

/// What is proven of a program. Where there is a specification, the direct theorem follows from those about it.
fn theorems(program: &Program, options: &Options) -> Vec<Theorem> {
    let is_direct = !program.is_balancer() || options.direct || options.all;
    let specified = stages::Entry::ALL.into_iter().filter(|_| program.is_balancer()).map(Theorem::Specified);
    specified.chain(is_direct.then_some(Theorem::Direct)).collect()
}

/// What the theorems about the specification rest on: functions that are called out of line, and the formula. Whether
/// all is proven, and what is said of it, for programs.
fn prove_rest(options: &Options, file: &[u8], programs: &[&str]) -> Result<(bool, Vec<Value>, Value)> {
    let functions = functions::prove(&image::Image::read(file)?, programs, |report| {
        if !options.json {
            println!("{}", functions::text(report));
        }
    })?;
    let remainder = remainder::prove();
    if !options.json {
        println!("{}", remainder::text(&remainder));
    }
    let is_proven = functions.iter().all(functions::Report::is_proven) && remainder.is_proven();
    Ok((is_proven, functions.iter().map(functions::json).collect(), remainder::json(&remainder)))
}

/// What is to be proven of a program.
#[derive(Clone, Copy, Debug)]
enum Theorem {
    /// This function does what the specification says.
    Specified(stages::Entry),
    /// The fast path decides as the general path does.
    Direct,
}

/// What is said of one theorem about one program.
struct Said {
    is_proven: bool,
    text: String,
    json: Value,
}

/// Several at a time. Whether all are proven; and what is said of them, for programs.
fn prove_all(options: &Options, file: &[u8], jobs: &[(Theorem, &str)]) -> Result<(bool, Vec<Value>)> {
    let (mut is_proven, mut json) = (true, Vec::new());
    let prove = |(theorem, program): &(Theorem, &str)| prove_one(file, *theorem, program);
    parallel::in_order(jobs, prove, |_, said| {
        is_proven &= said.is_proven;
        if !options.json {
            println!("{}", said.text);
        }
        json.push(said.json);
        Ok(())
    })?;
    Ok((is_proven, json))
}

fn prove_one(file: &[u8], theorem: Theorem, program: &str) -> Result<Said> {
    let image = image::Image::read(file)?;
    Ok(match theorem {
        Theorem::Direct => {
            let report = report::prove(&image, program)?;
            Said { is_proven: report.is_proven(), text: report::text(&report), json: report::json(&report) }
        }
        Theorem::Specified(entry) => {
            let report = stages::prove(&image, program, entry)?;
            Said { is_proven: report.is_proven(), text: stages::text(&report), json: stages::json(&report) }
        }
    })
}
