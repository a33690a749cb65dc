//! What comes of a changed program: does it still do what the specification says, which frame shows that it does not,
//! and does the kernel agree?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::shown;
use crate::{
    functions,
    image::Image,
    kernel::confirm::{Confirmed, Judge},
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
    /// No frame was found, or the proof broke off.
    Open(String),
}

/// How long a frame is looked for by the solver.
const LIMIT: Duration = Duration::from_secs(40);
/// How long a proof may take.
const PROOF_LIMIT: Duration = Duration::from_secs(600);

impl Case<'_> {
    /// Tries random frames first. Of those that start like one that shows a fault, the specification soon refutes the
    /// program; without one, all are looked at.
    pub fn judge(&self) -> Result<Verdict> {
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
        let (fragments, deadline) = (self.program.ends_with("_frags"), Instant::now() + PROOF_LIMIT);
        functions::fault(self.changed, first, fragments, deadline).unwrap_or_else(|error| Some(format!("{error:#}")))
    }

    /// The function that has the changed instruction.
    fn function(&self) -> Result<usize> {
        let first = self.image.reached(self.image.function(self.program)?);
        let first = first.into_iter().find(|first| self.image.body(*first).contains(&self.number));
        first.context("the program does not run the changed instruction")
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
            if let Some(example) = self.look(searches)? {
                return Ok(self.refuted(what, &example, is_general));
            }
        }
        Ok(Verdict::Open(format!("{what}, but no frame was found that shows it")))
    }

    /// Follows all paths on which both paths decide, and which come by the change.
    fn look(&self, searches: Searches) -> Result<Option<Numbers>> {
        let mut prover = Prover::new(self.changed, self.program, |_| {})?;
        prover.assume_usual()?;
        prover.focus(self.number, searches);
        prover.domain.solver.limit(solver::SHORT_MS)?;
        prover.deadline = Some(Instant::now() + LIMIT);
        // Whether it came to its end or broke off, it may have found something.
        let _ = prover.run();
        let shown = prover.refutations.into_iter().find(|refutation| refutation.is_confirmed());
        Ok(shown.and_then(|refutation| refutation.example).map(|(example, ..)| example))
    }

    fn refuted(&self, what: String, example: &Numbers, is_general: bool) -> Verdict {
        let judge = Judge { file: self.file, image: self.image, program: self.program, is_general };
        let kernel = judge.ask(self.changed, example);
        Verdict::Refuted { what, bytes: example.frame.len(), kernel }
    }
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
            Self::Open(why) => write!(f, "NEITHER PROVEN NOR REFUTED: {why}"),
        }
    }
}
