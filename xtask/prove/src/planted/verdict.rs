//! What comes of a changed program: does it still do what the specification says, which frame shows that it does not,
//! and does the kernel agree?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::shown;
use crate::{
    functions,
    image::Image,
    kernel::confirm::{Confirmed, Judge},
    programs,
    refute::Refutation,
    solver,
    stages::{self, Entry},
    theorem::{Prover, Searches},
    world::Numbers,
};

/// One changed program.
#[derive(Debug)]
pub struct Case<'a> {
    pub file: &'a [u8],
    pub image: &'a Image,
    pub program: &'a str,
    pub changed: &'a Image,
    /// The instruction that is changed.
    pub number: usize,
}

/// What came of it.
#[derive(Debug)]
pub enum Verdict {
    /// A frame shows the fault.
    Refuted { what: String, bytes: usize, kernel: Confirmed },
    /// Whatever runs the changed instruction still does what the specification says.
    Proven { functions: usize },
    /// On every path that comes by the changed instruction both paths decide alike, in an instance of usual size. All
    /// others are those of the unmodified program.
    Same { paths: u64 },
    /// No frame was found, or the proof broke off.
    Open(String),
}

/// How long a frame is looked for by the solver.
const LIMIT: Duration = Duration::from_secs(40);
/// How long by the theorem about both paths alone.
const DIRECT_LIMIT: Duration = Duration::from_secs(100);
/// How long a proof may take.
const PROOF_LIMIT: Duration = Duration::from_secs(600);

impl Case<'_> {
    /// Tries random frames first. Of those that start like one that shows a fault, the specification soon refutes the
    /// program; without one, all are looked at.
    pub fn judge(&self) -> Result<Verdict> {
        if !programs::find(self.program)?.is_balancer() {
            return self.judge_directly();
        }
        let (entries, function) = (self.entries()?, self.function()?);
        let is_general = entries.first().is_none_or(|entry| entry.is_general());
        let example = shown::example(self.image, self.changed, self.program, is_general)?;
        let like = example.as_ref().map(|example| &example.frame[..]);
        let mut what = None;
        if entries.is_empty() {
            what = self.fault_of(function);
        } else {
            for like in like.map(Some).into_iter().chain([None]) {
                let faults = entries.iter().map(|entry| self.fault(*entry, like));
                what = what.or_else(|| faults.flatten().next());
            }
        }
        match (what, example) {
            (None, None) => Ok(Verdict::Proven { functions: entries.len().max(1) }),
            (Some(what), Some(example)) => Ok(self.refuted(what, &example, is_general)),
            (Some(what), None) => self.show(is_general, what),
            (None, Some(_)) => Ok(Verdict::Open("a frame shows it, and the specification does not see it".into())),
        }
    }

    /// What refutes this function, or why that cannot be told.
    fn fault(&self, entry: Entry, like: Option<&[u8]>) -> Option<String> {
        let deadline = Instant::now() + PROOF_LIMIT;
        let fault = stages::fault(self.changed, self.program, entry, deadline, like);
        // What breaks off on the way to an example says nothing; then all is looked at.
        fault.unwrap_or_else(|error| like.is_none().then(|| format!("{error:#}")))
    }

    /// The same of a change within a function that has a contract.
    fn fault_of(&self, first: usize) -> Option<String> {
        let deadline = Instant::now() + PROOF_LIMIT;
        let kind = programs::find(self.program).map(|program| program.kind);
        let fault = kind.and_then(|kind| functions::fault(self.changed, first, kind, deadline));
        fault.unwrap_or_else(|error| Some(format!("{error:#}")))
    }

    /// The function that has the changed instruction.
    fn function(&self) -> Result<usize> {
        let first = self.image.reached(self.image.function(self.program)?);
        let first = first.into_iter().find(|first| self.image.body(*first).contains(&self.number));
        first.context("the program does not run the changed instruction")
    }

    /// By the theorem about both paths. Most faults are seen on paths without a search.
    fn judge_directly(&self) -> Result<Verdict> {
        let is_general = !self.image.body(self.image.function(self.program)?).contains(&self.number);
        for searches in [Searches::LeftOut, Searches::GoneInto] {
            let (prover, result) = self.follow(searches, (DIRECT_LIMIT, solver::LIMIT_MS))?;
            if let Some((what, example)) = confirmed(&prover.refutations) {
                return Ok(self.refuted(what.to_owned(), example, is_general));
            }
            if prover.focus.as_ref().is_some_and(|focus| focus.left_out > 0) {
                continue;
            }
            return Ok(match (result, prover.refutations.first()) {
                (Ok(()), None) => Verdict::Same { paths: prover.counts.compared + prover.counts.handed_on },
                (Ok(()), Some(refutation)) => Verdict::Open(format!("{}, but no frame shows it", refutation.what)),
                (Err(error), _) => Verdict::Open(format!("{error:#}")),
            });
        }
        Ok(Verdict::Open("paths were left out".into()))
    }

    /// The functions that come by the changed instruction.
    fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Entry::ALL {
            let functions = entry.functions(self.image, self.program)?;
            if functions.into_iter().any(|first| self.image.body(first).contains(&self.number)) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Looks for a frame that shows it.
    fn show(&self, is_general: bool, what: String) -> Result<Verdict> {
        for searches in [Searches::LeftOut, Searches::GoneInto] {
            // Whether it came to its end or broke off, it may have found something.
            let (prover, _) = self.follow(searches, (LIMIT, solver::SHORT_MS))?;
            if let Some((_, example)) = confirmed(&prover.refutations) {
                return Ok(self.refuted(what, example, is_general));
            }
        }
        Ok(Verdict::Open(format!("{what}, but no frame was found that shows it")))
    }

    /// Follows all paths on which both paths decide, and which come by the change; for so long, and each question to
    /// the solver for so many milliseconds.
    fn follow(&self, searches: Searches, (limit, limit_ms): (Duration, u32)) -> Result<(Prover<'_>, Result<()>)> {
        let mut prover = Prover::new(self.changed, self.program, |_| {})?;
        prover.assume_usual()?;
        prover.focus(self.number, searches);
        prover.domain.solver.limit(limit_ms)?;
        prover.deadline = Some(Instant::now() + limit);
        let result = prover.run();
        Ok((prover, result))
    }

    fn refuted(&self, what: String, example: &Numbers, is_general: bool) -> Verdict {
        let judge = Judge { file: self.file, image: self.image, program: self.program, is_general };
        let kernel = judge.ask(self.changed, example);
        Verdict::Refuted { what, bytes: example.frame.len(), kernel }
    }
}

/// The first that a frame shows, and this frame.
fn confirmed(refutations: &[Refutation]) -> Option<(&str, &Numbers)> {
    let mut shown = refutations.iter().filter(|refutation| refutation.is_confirmed);
    shown.find_map(|refutation| refutation.example.as_ref().map(|(example, ..)| (&*refutation.what, example)))
}

impl Verdict {
    /// Whether a frame shows the fault, and the kernel does not contradict.
    pub const fn is_refuted(&self) -> bool {
        matches!(self, Self::Refuted { kernel, .. } if !matches!(kernel, Confirmed::No))
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refuted { what, bytes, kernel } => {
                write!(f, "refuted, {bytes} bytes show it; {kernel}\n          {what}")
            }
            Self::Proven { functions } => {
                write!(f, "NOT REFUTED: {functions} functions run it, and do what the specification says")
            }
            Self::Same { paths } => write!(f, "NOT REFUTED: both paths decide alike, on {paths} ends of paths"),
            Self::Open(why) => write!(f, "NEITHER PROVEN NOR REFUTED: {why}"),
        }
    }
}
