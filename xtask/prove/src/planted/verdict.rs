//! What comes of a changed program: is it refuted, and does the kernel agree?

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    contracts,
    image::Image,
    kernel::confirm::{Confirmed, Judge},
    theorem::{Prover, Searches},
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
    /// On every path that comes by the changed instruction the theorem holds, at least in an instance of usual size.
    /// All others are those of the unmodified program, of which it is proven. So the changed program decides as the
    /// unmodified one does.
    Proven { paths: u64 },
    /// No frame was found, or the proof broke off.
    Open(String),
}

/// How long frames are looked for that show a fault; it takes a minute of CPU time at most, others may use it as well.
const LIMIT: Duration = Duration::from_secs(300);
/// How long a proof may take that a change is harmless.
const PROOF_LIMIT: Duration = Duration::from_secs(900);

impl Case<'_> {
    /// `is_general`: the change is in the general path.
    ///
    /// Most faults are seen on paths without a search. That a change is harmless is proven soonest where searches go by
    /// their contracts. What is left are faults that only a search shows.
    pub fn judge(&self, is_general: bool) -> Result<Verdict> {
        let found = self.look(Searches::LeftOut)?;
        if let Some(verdict) = self.refuted(&found.prover, is_general) {
            return Ok(verdict);
        }
        if found.prover.focus.as_ref().is_none_or(|focus| focus.left_out == 0) {
            return Ok(found.verdict());
        }
        if self.is_outside_contracts() {
            let found = self.look(Searches::ByContract)?;
            if found.result.is_ok() && found.prover.refutations.is_empty() {
                return Ok(found.verdict());
            }
        }
        let found = self.look(Searches::GoneInto)?;
        Ok(self.refuted(&found.prover, is_general).unwrap_or_else(|| found.verdict()))
    }

    /// Follows all paths that come by the change. What goes by contracts is proven of any instance.
    fn look(&self, searches: Searches) -> Result<Found<'_>> {
        let mut prover = Prover::new(self.changed, self.program, |_| {})?;
        let is_proof = searches == Searches::ByContract;
        if !is_proof {
            prover.assume_usual()?;
        }
        prover.focus(self.number, searches);
        prover.deadline = Some(Instant::now() + if is_proof { PROOF_LIMIT } else { LIMIT });
        let result = prover.run();
        Ok(Found { prover, result })
    }

    /// Whether no function that has a contract runs the changed instruction.
    fn is_outside_contracts(&self) -> bool {
        let leads_there = self.changed.leading_to(self.number);
        let mut called = self.changed.code.iter().filter_map(|insn| insn.target);
        !called.any(|first| leads_there.contains(&first) && contracts::function(self.changed.name_at(first)).is_some())
    }

    /// If there is a frame that shows the fault.
    fn refuted(&self, prover: &Prover<'_>, is_general: bool) -> Option<Verdict> {
        let shown = prover.refutations.iter().find(|refutation| refutation.is_confirmed())?;
        let (example, ..) = shown.example.as_ref()?;
        let judge = Judge { file: self.file, image: self.image, program: self.program, is_general };
        let kernel = judge.ask(self.changed, example);
        Some(Verdict::Refuted { what: shown.what.clone(), bytes: shown.frame_length(), kernel })
    }
}

/// What came of the paths that come by the change.
struct Found<'a> {
    prover: Prover<'a>,
    result: Result<()>,
}

impl Found<'_> {
    /// Where no frame shows a fault.
    fn verdict(self) -> Verdict {
        let Self { prover, result } = self;
        match (result, prover.refutations.first()) {
            (Ok(()), None) => Verdict::Proven { paths: prover.counts.compared + prover.counts.handed_on },
            (Ok(()), Some(refutation)) => Verdict::Open(format!("{}, but no frame shows it", refutation.what)),
            (Err(error), _) => Verdict::Open(format!("{error:#}")),
        }
    }
}

impl Confirmed {
    /// Whether the kernel says that there is no difference.
    pub const fn contradicts(&self) -> bool {
        matches!(self, Self::No)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refuted { what, bytes, kernel } => {
                write!(f, "refuted, {bytes} bytes show it; {kernel}\n          {what}")
            }
            Self::Proven { paths } => write!(f, "NOT REFUTED: proven to decide as before, on {paths} ends of paths"),
            Self::Open(why) => write!(f, "NEITHER PROVEN NOR REFUTED: {why}"),
        }
    }
}
