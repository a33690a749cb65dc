//! What comes of a changed program: does it still do what the specification says, which frame shows that it does not,
//! and does the kernel agree?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::shown::example;
use crate::{
    functions,
    image::Image,
    kernel::confirm::{Confirmed, Judge},
    programs,
    refute::Refutation,
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
const LIMIT: Duration = Duration::from_secs(100);
/// How long a proof may take.
const PROOF_LIMIT: Duration = Duration::from_secs(600);

impl Case<'_> {
    pub fn judge(&self) -> Result<Verdict> {
        if !programs::find(self.program)?.is_balancer() {
            return self.judge_directly();
        }
        let entries = self.entries()?;
        if entries.is_empty() {
            return self.judge_function();
        }
        for entry in &entries {
            match stages::fault(self.changed, self.program, *entry, Instant::now() + PROOF_LIMIT) {
                Ok(None) => {}
                Ok(Some(what)) => return self.show(*entry, what),
                Err(error) => return self.show(*entry, format!("{error:#}")),
            }
        }
        Ok(Verdict::Proven { functions: entries.len() })
    }

    /// The same of a change within a function that has a contract.
    fn judge_function(&self) -> Result<Verdict> {
        let first = self.image.reached(self.image.function(self.program)?);
        let first = first.into_iter().find(|first| self.image.body(*first).contains(&self.number));
        let first = first.context("the program does not run the changed instruction")?;
        let kind = programs::find(self.program)?.kind;
        match functions::fault(self.changed, first, kind, Instant::now() + PROOF_LIMIT) {
            Ok(None) => Ok(Verdict::Proven { functions: 1 }),
            Ok(Some(what)) => self.show(Entry::General, what),
            Err(error) => self.show(Entry::General, format!("{error:#}")),
        }
    }

    /// By the theorem about both paths. Most faults are seen on paths without a search.
    fn judge_directly(&self) -> Result<Verdict> {
        let is_general = !self.image.body(self.image.function(self.program)?).contains(&self.number);
        for searches in [Searches::LeftOut, Searches::GoneInto] {
            let (prover, result) = self.follow(searches)?;
            if let Some((what, example)) = shown(&prover.refutations) {
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

    /// Looks for a frame that shows it: random ones first. What the fast path hides is seen without it.
    fn show(&self, entry: Entry, what: String) -> Result<Verdict> {
        let is_general = entry.is_general();
        if let Some(found) = example(self.image, self.changed, self.program, is_general)? {
            return Ok(self.refuted(what, &found, is_general));
        }
        for searches in [Searches::LeftOut, Searches::GoneInto] {
            // Whether it came to its end or broke off, it may have found something.
            let (prover, _) = self.follow(searches)?;
            if let Some((_, example)) = shown(&prover.refutations) {
                return Ok(self.refuted(what, example, is_general));
            }
        }
        Ok(Verdict::Open(format!("{what}, but no frame was found that shows it")))
    }

    /// Follows all paths on which both paths decide, and which come by the change.
    fn follow(&self, searches: Searches) -> Result<(Prover<'_>, Result<()>)> {
        let mut prover = Prover::new(self.changed, self.program, |_| {})?;
        prover.assume_usual()?;
        prover.focus(self.number, searches);
        prover.deadline = Some(Instant::now() + LIMIT);
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
fn shown(refutations: &[Refutation]) -> Option<(&str, &Numbers)> {
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
