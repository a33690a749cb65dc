//! What is said about a proof.

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    assumptions, code_digest,
    cost::Cost,
    image::Image,
    refute::Refutation,
    theorem::{Counts, Prover},
    world::{Ending, Numbers},
};

/// What came of one program.
#[derive(Debug)]
pub struct Report {
    program: String,
    counts: Counts,
    questions: u64,
    terms: usize,
    coverage: [(usize, usize); 2],
    cost: Cost,
    refutations: Vec<Refutation>,
}

impl Report {
    pub fn is_proven(&self) -> bool {
        self.refutations.is_empty()
    }
}

/// Tries to prove it of a program.
pub fn prove(image: &Image, program: &str) -> Result<Report> {
    let meter = Cost::meter();
    let mut prover = Prover::new(image, program, |prover| {
        eprintln!(
            "  {}: {} ends compared, {} handed on, {} questions, {} paths waiting",
            prover.image.name_at(prover.entry),
            prover.counts.compared,
            prover.counts.handed_on,
            prover.domain.solver.questions,
            prover.pending.len()
        );
    })?;
    prover.run()?;
    Ok(Report {
        program: program.to_owned(),
        coverage: prover.coverage(),
        questions: prover.domain.solver.questions,
        terms: prover.domain.terms.len(),
        counts: prover.counts.clone(),
        cost: meter.read(prover.domain.solver.process()),
        refutations: std::mem::take(&mut prover.refutations),
    })
}

/// For people.
pub fn text(report: &Report) -> String {
    let Report { program, counts, questions, terms, coverage, cost, refutations } = report;
    let Counts { decided, handed_on, compared, asked, by_contract, instructions } = counts;
    let verdict = if report.is_proven() { "PROVEN" } else { "NOT PROVEN" };
    let [(fast, all_fast), (general, all_general)] = coverage;
    let mut lines = vec![
        format!("{program}: fast path = general path: {verdict}"),
        format!(
            "  {decided} ends where the fast path decides, {handed_on} where it hands on; \
             {compared} compared, {asked} of them by the solver"
        ),
        format!("  {by_contract} calls of functions by their contracts"),
        format!("  {questions} questions to the solver, {terms} terms, {instructions} instructions executed"),
        format!(
            "  {fast} of {all_fast} instructions reached in {program}, {general} of {all_general} in the general path"
        ),
        format!("  {cost}"),
    ];
    for refutation in refutations {
        lines.push(format!("  REFUTED: {}", refutation.what));
        lines.extend(example(refutation).into_iter().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

fn example(refutation: &Refutation) -> Vec<String> {
    let Some((found, fast, general)) = &refutation.example else {
        return vec!["no frame was found that shows it: the proof fails, the programs need not".into()];
    };
    if !refutation.is_confirmed {
        return vec!["the frame that was found does not show it: the proof fails, the programs need not".into()];
    }
    let numbers: Vec<_> = found.numbers.iter().map(|(name, value)| format!("{name} {value:#x}")).collect();
    let mut lines = vec![
        format!("frame, {} bytes (whole {}): {}", found.frame.len(), found.whole_length, hex(&found.frame)),
        format!("CPU {}, segments {}, {}", found.cpu, found.segments, numbers.join(", ")),
    ];
    lines.extend(tables(found));
    lines.push(format!("fast path:    {}", ending(fast)));
    lines.push(format!("general path: {}", ending(general)));
    lines
}

/// Runs of bytes of tables that were looked at.
fn tables(found: &Numbers) -> Vec<String> {
    let mut runs: Vec<(String, u64, Vec<u8>)> = Vec::new();
    for ((table, address), byte) in &found.tables {
        match runs.last_mut() {
            Some((name, start, bytes)) if **name == **table && start.wrapping_add(bytes.len() as u64) == *address => {
                bytes.push(*byte);
            }
            _ => runs.push((table.to_string(), *address, vec![*byte])),
        }
    }
    runs.into_iter().map(|(table, start, bytes)| format!("{table} + {start:#x}: {}", hex(&bytes))).collect()
}

fn ending(ending: &Ending) -> String {
    match ending {
        Ending::General { rightly: true } => "hands on to the general path".into(),
        Ending::General { rightly: false } => "hands on to the general path, but wrongly".into(),
        Ending::Fault(what) => format!("fault: {what}"),
        Ending::Unknown(what) => format!("not known: {what}"),
        Ending::Decided { action, frame, writes } => {
            let writes: Vec<_> = writes
                .iter()
                .map(|write| {
                    format!("{} + {:#x} = {:#x} ({} bytes)", write.table, write.address, write.value, write.size)
                })
                .collect();
            format!("action {action}, stores [{}], frame {}", writes.join(", "), hex(frame))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The object's digest.
fn digest(file: &[u8]) -> String {
    hex(&Sha256::digest(file))
}

/// What was proven of whom, and on what it rests.
pub fn summary(file: &[u8]) -> Result<String> {
    let count = assumptions::lines().len();
    let code = code_digest::digest(file, &code_digest::PROVEN_PROGRAMS)?;
    Ok(format!("digest {code} (object {}); {count} assumptions: docs/PROOF.md", digest(file)))
}

/// The same for programs.
pub fn json(report: &Report) -> Value {
    let refutations: Vec<_> = report
        .refutations
        .iter()
        .map(|refutation| {
            json!({
                "what": refutation.what,
                "confirmed": refutation.is_confirmed,
                "frame": refutation.example.as_ref().map(|(found, ..)| hex(&found.frame)),
                "tables": refutation.example.as_ref().map(|(found, ..)| tables(found)),
                "fast_path": refutation.example.as_ref().map(|(_, fast, _)| ending(fast)),
                "general_path": refutation.example.as_ref().map(|(.., general)| ending(general)),
            })
        })
        .collect();
    json!({
        "program": report.program,
        "theorem": "fast path = general path",
        "proven": report.is_proven(),
        "ends_decided": report.counts.decided,
        "ends_handed_on": report.counts.handed_on,
        "ends_compared": report.counts.compared,
        "ends_compared_by_solver": report.counts.asked,
        "calls_by_contract": report.counts.by_contract,
        "questions": report.questions,
        "instructions_executed": report.counts.instructions,
        "seconds": report.cost.seconds(),
        "cpu_seconds": report.cost.cpu_seconds,
        "memory_mb": report.cost.memory_mb,
        "refutations": refutations,
    })
}

/// All theorems: what was proven of each program, and of the formula.
pub fn whole(file: &[u8], programs: &[Value], functions: &[Value], remainder: &Value) -> Result<Value> {
    let assumptions: Vec<_> =
        assumptions::lines().into_iter().map(|(what, by)| json!({ "what": what, "by": by })).collect();
    let code = code_digest::digest(file, &code_digest::PROVEN_PROGRAMS)?;
    Ok(json!({
        "digest": code,
        "object_sha256": digest(file),
        "programs": programs,
        "functions": functions,
        "remainder": remainder,
        "assumptions": assumptions,
    }))
}
