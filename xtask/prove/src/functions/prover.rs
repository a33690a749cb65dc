//! The walk over all paths of a function, round by round. The rule is asked first; for each of its cases the function's
//! paths are followed.

use std::{
    collections::{BTreeSet, HashSet},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    calls, contracts,
    domain::Stop,
    functions::{
        body::{self, Body},
        cuts,
        path::{Counts, Path},
    },
    image::Image,
    machine::{self, Event},
    pending::{self, Pending},
    programs::Kind,
    specification::{
        self,
        call::{Rule, Step},
        lookup,
        world::{Search, World},
    },
    stages::Live,
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::Value,
};

type Stopped = Stop<Term>;

#[derive(Debug)]
pub struct Prover<'a> {
    image: &'a Image,
    pub first: usize,
    pub domain: Symbolic,
    pub counts: Counts,
    pub refutations: Vec<String>,
    /// The functions whose rules this one rests on.
    pub rests_on: BTreeSet<&'static str>,
    reached: HashSet<usize>,
    rule: &'static Rule,
    arguments: Vec<Term>,
    live: Live,
    cuts: HashSet<usize>,
    pending: Pending<Path>,
    waiting: Vec<Body>,
    known: HashSet<String>,
    /// When to give up.
    pub deadline: Option<Instant>,
}

/// After so many there is no need for more.
const REFUTATIONS: usize = 3;

impl<'a> Prover<'a> {
    /// Of a function that starts there, has a contract, of a program that is handed this.
    pub fn new(image: &'a Image, first: usize, kind: Kind) -> Result<Self> {
        let name = image.name_at(first);
        let function = contracts::function(name).with_context(|| format!("{name} has no contract"))?;
        let rule = specification::rule(function.name).with_context(|| format!("{name} has no rule"))?;
        Self::by_rule(image, (first, kind), rule, function.arguments)
    }

    /// The same of any function, by this rule.
    pub fn by_rule(
        image: &'a Image,
        (first, kind): (usize, Kind),
        rule: &'static Rule,
        arguments: &[contracts::Argument],
    ) -> Result<Self> {
        let mut domain = Symbolic::new(kind)?;
        domain.read_anywhere()?;
        for condition in lookup::cell::sizes(&mut domain).context("a number is not known")? {
            domain.assume(condition)?;
        }
        let arguments = body::arguments(&mut domain, arguments);
        let (values, arguments) = arguments.with_context(|| format!("{} is handed a pointer", rule.name))?;
        Ok(Self {
            image,
            first,
            domain,
            counts: Counts::default(),
            refutations: Vec::new(),
            rests_on: BTreeSet::new(),
            reached: HashSet::new(),
            rule,
            arguments,
            live: Live::of(image, first),
            cuts: cuts::of(image, first),
            pending: Pending::default(),
            waiting: vec![Body { step: Step::Start, known: Vec::new(), state: State::new(first, values) }],
            known: HashSet::new(),
            deadline: None,
        })
    }

    pub const fn name(&self) -> &'static str {
        self.rule.name
    }

    /// Follows all paths of all rounds. An error: nothing is proven.
    pub fn run(&mut self) -> Result<()> {
        if !self.domain.solver.is_possible()? {
            bail!("the assumptions contradict each other");
        }
        let facts = self.domain.facts.clone();
        while let Some(Body { step, known, state }) = self.waiting.pop() {
            self.domain.solver.back_to(0)?;
            self.domain.facts = facts.clone();
            self.domain.solver.push()?;
            if let Step::Round(round) = &step {
                for condition in (self.rule.invariant)(&mut World::new(&mut self.domain, true, Search::Few), round) {
                    self.domain.assume(condition)?;
                }
            }
            for condition in known {
                self.domain.assume(condition)?;
            }
            self.counts.bodies += 1;
            let from = if let Step::Round(round) = &step { Some(round.number) } else { None };
            let facts = self.domain.facts.clone();
            self.follow_all(Path { state, facts, step, is_next: false, has_moved: false, returned: None }, from)?;
            if self.refutations.len() >= REFUTATIONS {
                break;
            }
        }
        Ok(())
    }

    /// `from`: the round that it begins with.
    fn follow_all(&mut self, path: Path, from: Option<u64>) -> Result<()> {
        let mut next = Some(path);
        while let Some(path) = next {
            match self.follow(path) {
                Ok(()) => {}
                Err(Stop::Failed(what)) => bail!(what),
                Err(Stop::Fault(what)) => self.refutations.push(format!("{what}, {}", place(from))),
                Err(Stop::Fork(_)) => bail!("an instruction is undecided"),
            }
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

    /// Follows a path to its ends, leaving others for later.
    fn follow(&mut self, mut path: Path) -> Result<(), Stopped> {
        loop {
            if self.domain.facts.take_news() {
                pending::rewrite(&mut self.domain, &mut path);
            }
            if !path.is_next {
                self.go_on(&mut path)?;
                continue;
            }
            if path.returned.is_some() {
                match path.step {
                    Step::Returns(value) => return self.end(&path, value),
                    _ => path.is_next = false,
                }
                continue;
            }
            if self.ends_round(&path)? {
                return Ok(());
            }
            self.step(&mut path)?;
        }
    }

    /// Asks the rule for its next step. What this path leaves open is decided.
    fn go_on(&mut self, path: &mut Path) -> Result<(), Stopped> {
        let mut world = World::new(&mut self.domain, true, Search::Few);
        match self.rule.next(&mut world, &self.arguments, &path.step) {
            Ok(step) => (path.step, path.is_next) = (step, true),
            Err(Stop::Fork(condition)) => {
                let next = path.state.next;
                self.pending.branch(&mut self.domain, path, condition, next)?;
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    /// Whether the rule's next round begins. Then that is looked at by itself, and this path ends.
    fn ends_round(&mut self, path: &Path) -> Result<bool, Stopped> {
        let Path { state, step: Step::Round(round), has_moved: true, .. } = path else { return Ok(false) };
        if !self.cuts.contains(&state.next) || !state.callers.is_empty() || state.has_written() {
            return Ok(false);
        }
        let rule = (self.rule, &self.live);
        let body = Body::new(&mut self.domain, rule, state, round, &self.arguments)?;
        let Some(body) = body else { return Ok(false) };
        self.counts.arrived += 1;
        if self.known.insert(body.key()) {
            self.waiting.push(body);
        }
        Ok(true)
    }

    fn step(&mut self, path: &mut Path) -> Result<(), Stopped> {
        self.reached.insert(path.state.next);
        self.counts.instructions += 1;
        path.has_moved = true;
        match machine::step(self.image, &mut path.state, &mut self.domain) {
            Ok(Event::Next) => {}
            Ok(Event::Branch(condition, target)) => {
                let next = path.state.next + 1;
                let taken = self.pending.branch(&mut self.domain, path, condition, next)?;
                path.state.next = if taken { target } else { next };
            }
            Ok(Event::Call(target)) => self.call(path, target)?,
            Ok(Event::Exit(Value::Number(value))) => path.returned = Some(value),
            Ok(Event::Exit(Value::Pointer(..))) => return Err(Stop::Fault("a pointer is returned".into())),
            Err(Stop::Fork(condition)) => {
                let next = path.state.next;
                self.pending.branch(&mut self.domain, path, condition, next)?;
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    fn call(&mut self, path: &mut Path, target: usize) -> Result<(), Stopped> {
        match contracts::function(self.image.name_at(target)) {
            Some(function) => {
                self.counts.by_contract += 1;
                self.rests_on.insert(function.name);
                calls::by_contract(self.image, &mut self.domain, &mut path.state, function, target)
            }
            None => machine::enter::<Symbolic>(&mut path.state, target),
        }
    }

    /// The end of the function: it returns what the rule says, and has written nothing.
    fn end(&mut self, path: &Path, value: Term) -> Result<(), Stopped> {
        self.counts.compared += 1;
        if path.state.has_written() {
            return Err(Stop::Fault("something is written".into()));
        }
        let Some(returned) = path.returned else { return Err(Stop::Failed("it is not at its end".into())) };
        let is_it = self.domain.terms.equal(returned, value);
        if self.domain.terms.is_true(is_it) == Some(true) {
            return Ok(());
        }
        self.counts.asked += 1;
        if self.domain.holds(is_it)? { Ok(()) } else { Err(Stop::Fault("it returns something else".into())) }
    }

    /// Instructions that some path came by, and how many there are.
    pub fn coverage(&self) -> (usize, usize) {
        self.image.coverage(self.first, &self.reached)
    }
}

fn place(round: Option<u64>) -> String {
    round.map_or_else(|| "from the start on".into(), |round| format!("from round {round} on"))
}
