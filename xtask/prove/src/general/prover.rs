//! The walk over all paths of the general path, stage by stage.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use anyhow::{Result, bail};

use crate::{
    calls, contracts,
    domain::Stop,
    ends::{self, Side},
    facts::Facts,
    general::{
        body::{self, Body},
        live::Live,
    },
    image::Image,
    machine::{self, Event},
    pending::{self, Follow, Pending},
    programs,
    specification::{
        self,
        stage::{Stage, Verdict},
        world::World,
    },
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::Value,
};

type Stopped = Stop<Term>;

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
    pub by_contract: u64,
    pub instructions: u64,
}

#[derive(Clone, Debug)]
struct Path {
    state: State<Term>,
    facts: Facts,
    /// What the program has returned, if it is at its end.
    action: Option<Term>,
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
        self.action = self.action.map(change);
    }
}

#[derive(Debug)]
pub struct Prover<'a> {
    pub image: &'a Image,
    pub first: usize,
    pub domain: Symbolic,
    pub counts: Counts,
    pub refutations: Vec<String>,
    pub reached: HashSet<usize>,
    live: Live,
    /// The stage of the paths that are being followed.
    stage: Stage,
    pending: Pending<Path>,
    waiting: Vec<Body>,
    known: HashSet<String>,
    /// When to give up.
    pub deadline: Option<Instant>,
}

/// After so many there is no need for more.
const REFUTATIONS: usize = 5;

impl<'a> Prover<'a> {
    pub fn new(image: &'a Image, program: &str) -> Result<Self> {
        let first = programs::general(image, program)?;
        let mut domain = Symbolic::new(programs::find(program)?.kind)?;
        domain.read_anywhere()?;
        Ok(Self {
            image,
            first,
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
        })
    }

    /// Follows all paths of all stages. An error: nothing is proven.
    pub fn run(&mut self) -> Result<()> {
        if !self.domain.solver.is_possible()? {
            bail!("the assumptions contradict each other");
        }
        let facts = self.domain.facts.clone();
        self.waiting.push(Body::start(&mut self.domain, self.first));
        while let Some(body) = self.waiting.pop() {
            self.domain.solver.back_to(0)?;
            self.domain.facts = facts.clone();
            self.domain.solver.push()?;
            for condition in body::conditions(&mut self.domain, &body.stage) {
                self.domain.assume(condition)?;
            }
            *self.counts.bodies.entry(name(&body.stage)).or_default() += 1;
            // What it does with a flow is not looked at so far.
            if matches!(body.stage, Stage::Flow(_)) {
                continue;
            }
            self.stage = body.stage;
            let path = Path { state: body.state, facts: self.domain.facts.clone(), action: None };
            self.follow_all(path)?;
            if self.refutations.len() >= REFUTATIONS {
                break;
            }
        }
        Ok(())
    }

    fn follow_all(&mut self, path: Path) -> Result<()> {
        let mut next = Some(path);
        while let Some(path) = next {
            self.judge(path)?;
            if self.refutations.len() >= REFUTATIONS {
                self.pending.clear();
            }
            if self.deadline.is_some_and(|deadline| deadline < Instant::now()) {
                bail!("it takes too long");
            }
            next = self.pending.next(&mut self.domain)?;
        }
        Ok(())
    }

    fn judge(&mut self, path: Path) -> Result<()> {
        match self.follow(path) {
            Ok(()) => Ok(()),
            Err(Stop::Failed(what)) => bail!(what),
            Err(Stop::Fault(what)) => {
                self.refute(what);
                Ok(())
            }
            Err(Stop::Fork(_)) => bail!("an instruction is undecided"),
        }
    }

    fn refute(&mut self, what: String) {
        self.refutations.push(format!("{what}, {}", place(&self.stage)));
    }

    /// Follows a path to its ends, leaving others for later.
    fn follow(&mut self, mut path: Path) -> Result<(), Stopped> {
        // It may begin behind a branch.
        if path.action.is_none() && self.goes_on(&mut path, false)? {
            return Ok(());
        }
        loop {
            if self.domain.facts.take_news() {
                pending::rewrite(&mut self.domain, &mut path);
            }
            if path.action.is_some() {
                return self.end(path);
            }
            if self.looks_for_service(&path.state) && self.goes_on(&mut path, true)? {
                return Ok(());
            }
            self.reached.insert(path.state.next);
            self.counts.instructions += 1;
            match machine::step(self.image, &mut path.state, &mut self.domain) {
                Ok(Event::Next) => {}
                Ok(Event::Branch(condition, target)) => {
                    let next = path.state.next + 1;
                    let taken = self.pending.branch(&mut self.domain, &path, condition, next)?;
                    path.state.next = if taken { target } else { next };
                    if self.goes_on(&mut path, false)? {
                        return Ok(());
                    }
                }
                Ok(Event::Call(target)) => self.call(&mut path, target)?,
                Ok(Event::Exit(Value::Number(action))) => path.action = Some(action),
                Ok(Event::Exit(Value::Pointer(..))) => return Err(Stop::Fault("a pointer is returned".into())),
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, &path, condition, next)?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    fn call(&mut self, path: &mut Path, target: usize) -> Result<(), Stopped> {
        match contracts::function(self.image.name_at(target)) {
            Some(function) => {
                self.counts.by_contract += 1;
                calls::by_contract(self.image, &mut self.domain, &mut path.state, function, target)
            }
            None => machine::enter::<Symbolic>(&mut path.state, target),
        }
    }

    /// Whether the next instruction begins to look for the packet's service. Then the flow must be known.
    fn looks_for_service(&self, state: &State<Term>) -> bool {
        let Some(insn) = self.image.code.get(state.next) else { return false };
        let calls = |part| insn.target.is_some_and(|target| self.image.name_at(target).contains(part));
        let is_lookup = calls("modlb_search") || insn.symbol.as_deref() == Some("modlb_table_CELLS");
        match self.stage {
            Stage::Network { .. } => is_lookup || (calls("5quote5read") && state.callers.is_empty()),
            Stage::Quote { .. } => is_lookup && state.callers.is_empty(),
            _ => false,
        }
    }

    /// Whether the specification is at its next stage. Then that is looked at by itself, and this path ends.
    ///
    /// `splits`: what the specification asks and this path leaves open is decided.
    fn goes_on(&mut self, path: &mut Path, splits: bool) -> Result<bool, Stopped> {
        if !path.state.callers.is_empty() || path.state.has_written() {
            return Ok(false);
        }
        let asks = splits || self.stage == Stage::Frame;
        let stage = loop {
            match specification::next(&mut World { domain: &mut self.domain, asks }, &self.stage) {
                Ok(stage) => break stage,
                Err(Stop::Fork(condition)) if splits => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, path, condition, next)?;
                    pending::rewrite(&mut self.domain, path);
                }
                Err(Stop::Fork(_)) => return Ok(false),
                Err(stop) => return Err(stop),
            }
        };
        // What the flow is may be known before the program has read all of it.
        if stage == self.stage || matches!(stage, Stage::Decided(_)) || matches!(stage, Stage::Flow(_)) && !splits {
            return Ok(false);
        }
        self.counts.arrived += 1;
        let body = Body::new(&mut self.domain, &self.live, &path.state, &stage)?;
        if self.known.insert(body.key()) {
            self.waiting.push(body);
        }
        Ok(true)
    }

    /// The end of the program: what it did must be what the specification says.
    fn end(&mut self, mut path: Path) -> Result<(), Stopped> {
        let Some(action) = path.action else { return Err(Stop::Failed("the program is not at its end".into())) };
        let mut stage = self.stage.clone();
        let verdict = loop {
            match specification::next(&mut World { domain: &mut self.domain, asks: true }, &stage) {
                Ok(Stage::Decided(verdict)) => break verdict,
                Ok(next) if next == stage => {
                    return Err(Stop::Fault("the program ends, and the packet has a flow".into()));
                }
                Ok(next) => stage = next,
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, &path, condition, next)?;
                    pending::rewrite(&mut self.domain, &mut path);
                }
                Err(stop) => return Err(stop),
            }
        };
        self.counts.compared += 1;
        let action = path.action.unwrap_or(action);
        self.compare(&path.state, action, &verdict)
    }

    fn compare(&mut self, state: &State<Term>, action: Term, verdict: &Verdict) -> Result<(), Stopped> {
        let frame = verdict.frame.iter().copied().collect();
        let sides = [
            Side { name: "general path", action, packet: &state.packet, writes: &state.writes },
            Side { name: "specification", action: verdict.action, packet: &frame, writes: &verdict.writes },
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

pub fn name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Frame => "frame",
        Stage::Network { .. } => "network header",
        Stage::Quote { .. } => "quote",
        Stage::Flow(_) => "flow",
        Stage::Decided(_) => "end",
    }
}

fn place(stage: &Stage) -> String {
    match stage {
        Stage::Network { family, place } => format!("with an {family:?} header at {place}"),
        _ => format!("from the {} on", name(stage)),
    }
}
