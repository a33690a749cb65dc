//! What is said about the theorem about functions.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json as object};

use crate::{
    contracts,
    cost::Cost,
    functions::{few, path::Counts, prover::Prover},
    image::Image,
    programs::{self, Kind},
    solver,
    specification::lookup,
};

/// What came of one function.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    claim: &'static str,
    /// What it is handed.
    kind: Kind,
    counts: Counts,
    rests_on: Vec<&'static str>,
    questions: u64,
    coverage: (usize, usize),
    cost: Cost,
    refutations: Vec<String>,
}

impl Report {
    pub fn is_proven(&self) -> bool {
        self.refutations.is_empty()
    }

    fn title(&self) -> String {
        format!("{}{} {}", self.name, if self.kind.has_more() { " (several buffers)" } else { "" }, self.claim)
    }
}

/// Tries to prove it of all functions with a contract that the programs call, or that these call. `show` is called with
/// each report.
pub fn prove(image: &Image, programs: &[&str], mut show: impl FnMut(&Report)) -> Result<Vec<Report>> {
    let mut found = BTreeMap::new();
    for program in programs {
        let kind = programs::find(program)?.kind;
        for first in image.reached(image.function(program)?) {
            let function = contracts::function(image.name_at(first));
            if let Some(function) = function {
                // Without a context it is the same for both kinds of frames.
                let reads = function.arguments.contains(&contracts::Argument::Context);
                found.entry(first).or_insert(if reads { kind } else { Kind::Buffer });
            }
        }
    }
    let mut reports = Vec::new();
    let mut keep = |report| {
        show(&report);
        reports.push(report);
    };
    for (first, kind) in found {
        keep(prove_one(image, first, kind)?);
    }
    keep(prove_shortcut()?);
    ensure!(is_grounded(&reports), "functions rest on each other");
    Ok(reports)
}

/// Whether none rests on itself by way of others, and all that they rest on are there.
fn is_grounded(reports: &[Report]) -> bool {
    let mut proven: Vec<&str> = Vec::new();
    loop {
        let rests_well = |report: &Report| report.rests_on.iter().all(|name| proven.contains(name));
        let all_rest_well = |one: &&Report| reports.iter().all(|other| other.name != one.name || rests_well(other));
        let next: Vec<_> = reports.iter().filter(all_rest_well).map(|report| report.name).collect();
        if next.len() == proven.len() {
            return next.len() == reports.len();
        }
        proven = next;
    }
}

/// The shortcut by few cells, which both paths have for themselves.
const SHORTCUT: &str = "service::first";

/// Tries to prove that the shortcut tells what the search returns.
fn prove_shortcut() -> Result<Report> {
    let meter = Cost::meter();
    let (compared, domain) = few::compare(lookup::few::few)?;
    Ok(Report {
        name: SHORTCUT,
        claim: "tells what modlb_search returns",
        kind: Kind::Buffer,
        coverage: (0, 0),
        questions: domain.solver.questions,
        counts: Counts { compared: compared.cases, asked: compared.cases, ..Counts::default() },
        rests_on: vec!["modlb_probe", "modlb_search", "modlb_search_address"],
        cost: meter.read(domain.solver.process()),
        refutations: compared.refutations,
    })
}

/// The first thing that is not as the function's rule says.
pub fn fault(image: &Image, first: usize, kind: Kind, deadline: Instant) -> Result<Option<String>> {
    let mut prover = Prover::new(image, first, kind)?;
    prover.deadline = Some(deadline);
    prover.domain.solver.limit(solver::SHORT_MS)?;
    prover.run()?;
    Ok(prover.refutations.into_iter().next())
}

/// Tries to prove it of one function.
fn prove_one(image: &Image, first: usize, kind: Kind) -> Result<Report> {
    let meter = Cost::meter();
    let mut prover = Prover::new(image, first, kind)?;
    prover.run()?;
    Ok(Report {
        name: prover.name(),
        claim: "= specification",
        kind,
        coverage: prover.coverage(),
        questions: prover.domain.solver.questions,
        counts: prover.counts.clone(),
        rests_on: prover.rests_on.iter().copied().collect(),
        cost: meter.read(prover.domain.solver.process()),
        refutations: prover.refutations,
    })
}

/// For people.
pub fn text(report: &Report) -> String {
    let Report { counts, rests_on, questions, coverage: (reached, all), cost, refutations, .. } = report;
    let Counts { bodies, arrived, compared, asked, by_contract, instructions } = counts;
    let verdict = if report.is_proven() { "PROVEN" } else { "NOT PROVEN" };
    let mut lines = vec![
        format!("{}: {verdict}", report.title()),
        format!("  {compared} ends compared, {asked} of them by the solver; {arrived} arrivals at {bodies} places"),
        format!("  {questions} questions to the solver, {instructions} instructions; {reached} of {all} reached"),
        format!("  {cost}"),
    ];
    if !rests_on.is_empty() {
        lines.insert(2, format!("  {by_contract} calls by contract, of {}", rests_on.join(", ")));
    }
    lines.extend(refutations.iter().map(|refutation| format!("  REFUTED: {refutation}")));
    lines.join("\n")
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let Report { name, claim, kind, counts, rests_on, questions, coverage: _, cost, refutations } = report;
    object!({
        "function": name,
        "claim": claim,
        "several_buffers": kind.has_more(),
        "proven": report.is_proven(),
        "ends_compared": counts.compared,
        "arrivals": counts.arrived,
        "places": counts.bodies,
        "rests_on": rests_on,
        "questions": questions,
        "instructions_executed": counts.instructions,
        "seconds": cost.seconds(),
        "cpu_seconds": cost.cpu_seconds,
        "memory_mb": cost.memory_mb,
        "refutations": refutations,
    })
}
