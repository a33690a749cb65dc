//! What is said about the theorem about the specification.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json as object};

use crate::{
    cost::Cost,
    domain::Domain as _,
    image::Image,
    solver,
    stages::{
        entry::Entry,
        prover::{Counts, Prover},
    },
};

/// What came of one function.
#[derive(Debug)]
pub struct Report {
    program: String,
    entry: Entry,
    counts: Counts,
    questions: u64,
    terms: usize,
    coverage: (usize, usize),
    cost: Cost,
    refutations: Vec<String>,
}

impl Report {
    pub fn is_proven(&self) -> bool {
        self.refutations.is_empty()
    }
}

/// Tries to prove it of a program.
pub fn prove(image: &Image, program: &str, entry: Entry) -> Result<Report> {
    let meter = Cost::meter();
    let mut prover = Prover::new(image, program, entry)?;
    prover.run()?;
    Ok(Report {
        program: program.to_owned(),
        entry,
        coverage: prover.coverage(),
        questions: prover.domain.solver.questions,
        terms: prover.domain.terms.len(),
        counts: prover.counts.clone(),
        cost: meter.read(prover.domain.solver.process()),
        refutations: prover.refutations,
    })
}

/// The first thing that is not as the specification says; of frames that start like this one, if there is one.
pub fn fault(
    image: &Image,
    program: &str,
    entry: Entry,
    deadline: Instant,
    like: Option<&[u8]>,
) -> Result<Option<String>> {
    let mut prover = Prover::new(image, program, entry)?;
    (prover.deadline, prover.enough) = (Some(deadline), 1);
    prover.domain.solver.limit(solver::SHORT_MS)?;
    for (place, byte) in (0..).zip(like.into_iter().flatten().take(HEADERS)) {
        let domain = &mut prover.domain;
        let (one, other) = (domain.packet_byte(place), domain.terms.constant(u64::from(*byte), 8));
        let is_it = domain.terms.equal(one, other);
        domain.assume(is_it)?;
    }
    prover.run()?;
    Ok(prover.refutations.into_iter().next())
}

/// So many bytes of a frame decide how it is read, but for quotes.
const HEADERS: usize = 64;

/// For people.
pub fn text(report: &Report) -> String {
    let Report { program, entry, counts, questions, terms, coverage: (reached, all), cost, refutations } = report;
    let Counts { bodies, arrived, compared, asked, handed_on, by_contract, instructions } = counts;
    let verdict = if report.is_proven() { "PROVEN" } else { "NOT PROVEN" };
    let bodies: Vec<_> = bodies.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut lines = vec![
        format!("{program}: {} = specification: {verdict}", entry.name()),
        format!(
            "  {compared} ends compared, {asked} of them by the solver, {handed_on} where another function decides; \
             {arrived} arrivals at: {}",
            bodies.join(", ")
        ),
        format!(
            "  {by_contract} calls by contract, {questions} questions to the solver, {terms} terms, \
             {instructions} instructions"
        ),
        format!("  {reached} of {all} instructions reached"),
        format!("  {cost}"),
    ];
    lines.extend(refutations.iter().map(|refutation| format!("  REFUTED: {refutation}")));
    lines.join("\n")
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let Report { program, entry, counts, questions, terms: _, coverage: _, cost, refutations } = report;
    object!({
        "program": program,
        "theorem": format!("{} = specification", entry.name()),
        "proven": report.is_proven(),
        "ends_compared": counts.compared,
        "ends_handed_on": counts.handed_on,
        "arrivals": counts.arrived,
        "stages": counts.bodies,
        "questions": questions,
        "instructions_executed": counts.instructions,
        "seconds": cost.seconds(),
        "cpu_seconds": cost.cpu_seconds,
        "memory_mb": cost.memory_mb,
        "refutations": refutations,
    })
}
