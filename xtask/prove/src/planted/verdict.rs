//! What comes of a changed program: is it refuted, and does the kernel agree?

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    image::Image,
    kernel::confirm::{Confirmed, Judge},
    theorem::Prover,
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
    /// On every path that comes by the changed instruction the theorem holds. All others are those of the unmodified
    /// program, of which
    /// it is proven. So the changed program decides as the unmodified one does, in an instance of usual
    /// size.
    Proven { paths: u64 },
    /// No frame was found, or the proof broke off.
    Open(String),
}

/// How long one changed program is looked at.
const LIMIT: Duration = Duration::from_secs(100);

impl Case<'_> {
    /// `is_general`: the change is in the general path. Most faults are seen on paths without a search.
    pub fn judge(&self, is_general: bool) -> Result<Verdict> {
        match self.look(is_general, false)? {
            Some(verdict) => Ok(verdict),
            None => Ok(self.look(is_general, true)?.unwrap_or_else(|| Verdict::Open("paths were left out".into()))),
        }
    }

    /// `None`: nothing was refuted, and paths were left out.
    fn look(&self, is_general: bool, searches: bool) -> Result<Option<Verdict>> {
        let mut prover = Prover::new(self.changed, self.program, |_, _, _| {})?;
        prover.assume_usual()?;
        prover.focus(self.number, searches);
        prover.deadline = Some(Instant::now() + LIMIT);
        let result = prover.run();
        let shown = prover.refutations.iter().find(|refutation| refutation.is_confirmed());
        if let Some(refutation) = shown
            && let Some((example, ..)) = &refutation.example
        {
            let judge = Judge { file: self.file, image: self.image, program: self.program, is_general };
            let kernel = judge.ask(self.changed, example);
            let what = refutation.what.clone();
            return Ok(Some(Verdict::Refuted { what, bytes: refutation.frame_length(), kernel }));
        }
        if prover.focus.is_some_and(|focus| focus.left_out > 0) {
            return Ok(None);
        }
        Ok(Some(match (result, prover.refutations.first()) {
            (Ok(()), None) => Verdict::Proven { paths: prover.counts.compared + prover.counts.handed_on },
            (Ok(()), Some(refutation)) => Verdict::Open(format!("{}, but no frame shows it", refutation.what)),
            (Err(error), _) => Verdict::Open(format!("{error:#}")),
        }))
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
