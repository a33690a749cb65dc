//! The proof of one function: all stages, and what is compared at the ends of paths.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use anyhow::{Result, bail};

use crate::{
    domain::Stop,
    ends::{self, Side},
    facts::Facts,
    image::Image,
    pending::{Follow, Pending},
    programs,
    specification::stage::{Family, Stage, Verdict},
    stages::{
        body::Body,
        entry::{Entry, SEARCHED},
        live::Live,
    },
    state::State,
    symbolic::Symbolic,
    term::Term,
};

pub type Stopped = Stop<Term>;

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Places where a stage starts, each looked at once, by the stage.
    pub bodies: BTreeMap<&'static str, u64>,
    /// Paths that came to one of them.
    pub arrived: u64,
    /// Ends of paths that were compared with the specification.
    pub compared: u64,
    /// Of these, ends where the solver was asked because terms were not the same.
    pub asked: u64,
    /// Ends of paths of the fast path on which another function decides.
    pub handed_on: u64,
    pub by_contract: u64,
    pub instructions: u64,
}

/// Who decides about the packet.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// This function.
    Own,
    /// The general path was called.
    HandedOn,
    /// The fast path with a search was called, and returned this.
    Searched(Term),
}

#[derive(Clone, Debug)]
pub struct Path {
    pub state: State<Term>,
    pub facts: Facts,
    /// What the function has returned, if it is at its end.
    pub action: Option<Term>,
    pub phase: Phase,
}

impl Follow for Path {
    fn state(&mut self) -> &mut State<Term> {
        &mut self.state
    }

    fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    fn change(&mut self, mut change: impl FnMut(Term) -> Term) {
        self.state.change_numbers(&mut change);
        self.action = self.action.map(&mut change);
        if let Phase::Searched(result) = &mut self.phase {
            *result = change(*result);
        }
    }
}

#[derive(Debug)]
pub struct Prover<'a> {
    pub image: &'a Image,
    pub entry: Entry,
    pub first: usize,
    /// The functions that a fast path may leave the packet to.
    pub general: usize,
    pub searched: usize,
    pub domain: Symbolic,
    pub counts: Counts,
    pub refutations: Vec<String>,
    pub reached: HashSet<usize>,
    pub live: Live,
    /// The stage of the paths that are being followed.
    pub stage: Stage,
    pub pending: Pending<Path>,
    pub waiting: Vec<Body>,
    pub known: HashSet<String>,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// After so many refutations there is no need for more.
    pub enough: usize,
}

impl<'a> Prover<'a> {
    pub fn new(image: &'a Image, program: &str, entry: Entry) -> Result<Self> {
        let first = entry.first(image, program)?;
        let mut domain = Symbolic::new(programs::find(program)?.kind)?;
        if entry == Entry::General {
            domain.read_anywhere()?;
        }
        domain.read_one_half();
        Ok(Self {
            image,
            entry,
            first,
            general: programs::general(image, program)?,
            searched: image.called(program, SEARCHED)?,
            domain,
            counts: Counts::default(),
            refutations: Vec::new(),
            reached: HashSet::new(),
            live: Live::of(image, first),
            stage: Stage::Frame,
            pending: Pending::default(),
            waiting: Vec::new(),
            known: HashSet::new(),
            deadline: None,
            enough: 5,
        })
    }

    /// Follows all paths of all stages. An error: nothing is proven.
    pub fn run(&mut self) -> Result<()> {
        if !self.domain.solver.is_possible()? {
            bail!("the assumptions contradict each other");
        }
        let facts = self.domain.facts.clone();
        self.waiting.push(Body::start(&mut self.domain, self.entry, self.first));
        while let Some(body) = self.waiting.pop() {
            self.domain.solver.back_to(0)?;
            self.domain.facts = facts.clone();
            self.domain.solver.push()?;
            for condition in body.conditions(&mut self.domain, self.entry) {
                self.domain.assume(condition)?;
            }
            *self.counts.bodies.entry(body.stage.name()).or_default() += 1;
            self.domain.cell = body.stage.cell();
            self.stage = body.stage;
            self.follow_all(Path {
                state: body.state,
                facts: self.domain.facts.clone(),
                action: None,
                phase: Phase::Own,
            })?;
            if self.refutations.len() >= self.enough {
                break;
            }
        }
        Ok(())
    }

    fn follow_all(&mut self, path: Path) -> Result<()> {
        let mut next = Some(path);
        while let Some(path) = next {
            match self.follow(path) {
                Ok(()) => {}
                Err(Stop::Failed(what)) => bail!(what),
                Err(Stop::Fault(what)) => self.refute(what),
                Err(Stop::Fork(_)) => bail!("an instruction is undecided"),
            }
            if self.refutations.len() >= self.enough {
                self.pending.clear();
            }
            if self.deadline.is_some_and(|deadline| deadline < Instant::now()) {
                bail!("it takes too long");
            }
            next = self.pending.next(&mut self.domain)?;
        }
        Ok(())
    }

    fn refute(&mut self, what: String) {
        self.refutations.push(format!("{what}, {}", place(&self.stage)));
    }

    pub fn compare(&mut self, state: &State<Term>, action: Term, verdict: &Verdict) -> Result<(), Stopped> {
        self.counts.compared += 1;
        ends::sends_what_it_changed(&mut self.domain, action, state)?;
        let Verdict { action: wanted, effects } = verdict;
        let sides = [
            Side { name: self.entry.name(), action, start: state.start, packet: &state.packet, writes: &state.writes },
            Side {
                name: "specification",
                action: *wanted,
                start: effects.start,
                packet: &effects.frame,
                writes: &effects.writes,
            },
        ];
        let compared = ends::compare(&mut self.domain, &sides)?;
        self.counts.asked += u64::from(compared.asked);
        if let Some((what, _)) = compared.difference {
            self.refute(what);
        }
        Ok(())
    }

    /// Instructions that some path came by, and how many there are.
    pub fn coverage(&self) -> (usize, usize) {
        self.image.coverage(self.first, &self.reached)
    }
}

fn place(stage: &Stage) -> String {
    match stage {
        Stage::Network { family: Family::V4, place } => format!("with an IPv4 header at {place}"),
        Stage::Network { family: Family::V6, place } => format!("with an IPv6 header at {place}"),
        _ => format!("from the {} on", stage.name()),
    }
}
