//! The theorem: where the fast path decides about a packet, the general path does the same; and where it does not, it has
//! touched nothing.
//!
//! One walk over all paths, depth first. Where the fast path ends without having called the general path, that is run
//! from its start under the same conditions, on the same frame and tables, and what both did is compared.

use std::{collections::HashSet, rc::Rc, time::Instant};

use anyhow::{Result, bail};

use crate::{
    domain::{Domain as _, Region, Stop, Value},
    facts::Facts,
    image::Image,
    machine::{self, Event},
    refute::{self, Refutation},
    rewrite::Rewriter,
    state::{State, Write},
    symbolic::Symbolic,
    term::Term,
};

/// A part of the name of the function that is the general path.
pub const GENERAL: &str = "balance_other";

/// After so many that no frame confirms, or one that a frame does, there is no need for more.
const REFUTATIONS: usize = 20;

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Ends of paths on which the fast path decided.
    pub decided: u64,
    /// Ends of paths on which the general path was called.
    pub handed_on: u64,
    /// Ends of the general path that were compared.
    pub compared: u64,
    /// Of these, ends where the solver was asked because terms were not the same.
    pub asked: u64,
    pub instructions: u64,
}

/// How the fast path ended.
#[derive(Debug)]
struct Ended {
    action: Term,
    state: State<Term>,
}

#[derive(Clone, Debug)]
enum Phase {
    Fast,
    /// The general path was called by the fast one.
    HandedOn,
    General(Rc<Ended>),
}

#[derive(Clone, Debug)]
struct Path {
    state: State<Term>,
    facts: Facts,
    phase: Phase,
}

/// A path that is still to be followed: where what holds on it was branched off, and what holds besides.
#[derive(Debug)]
struct Pending {
    path: Path,
    depth: usize,
    condition: Option<Term>,
}

/// The proof of one program.
#[derive(Debug)]
pub struct Prover<'a> {
    image: &'a Image,
    entry: usize,
    general: usize,
    fragments: bool,
    pub domain: Symbolic,
    pending: Vec<Pending>,
    pub counts: Counts,
    pub refutations: Vec<Refutation>,
    reached: HashSet<usize>,
    /// Called now and then.
    progress: fn(&Counts, u64, usize),
    shown: Instant,
}

type Stopped = Stop<Term>;

impl<'a> Prover<'a> {
    pub fn new(image: &'a Image, program: &str, progress: fn(&Counts, u64, usize)) -> Result<Self> {
        let fragments = program.ends_with("_frags");
        Ok(Self {
            image,
            entry: image.function(program)?,
            general: image.called(program, GENERAL)?,
            fragments,
            domain: Symbolic::new(fragments)?,
            pending: Vec::new(),
            counts: Counts::default(),
            refutations: Vec::new(),
            reached: HashSet::new(),
            progress,
            shown: Instant::now(),
        })
    }

    /// Follows all paths. An error: nothing is proven.
    pub fn run(&mut self) -> Result<()> {
        if !self.domain.solver.is_possible()? {
            bail!("the assumptions contradict each other");
        }
        let zero = self.domain.constant(0);
        let state = State::new(self.entry, [State::context(zero)]);
        let path = Path { state, facts: self.domain.facts.clone(), phase: Phase::Fast };
        self.pending.push(Pending { path, depth: self.domain.solver.depth(), condition: None });
        while let Some(Pending { path, depth, condition }) = self.pending.pop() {
            self.domain.solver.back_to(depth)?;
            self.domain.facts = path.facts.clone();
            if let Some(condition) = condition {
                self.domain.solver.push()?;
                self.domain.assume(condition)?;
            }
            match self.follow(path) {
                Ok(()) => {}
                Err(Stop::Failed(what)) => bail!(what),
                Err(Stop::Fault(what)) => self.refute(what, None)?,
                Err(Stop::Fork(_)) => bail!("an instruction is undecided"),
            }
            let confirmed = self.refutations.iter().any(|refutation| refutation.is_confirmed());
            if confirmed || self.refutations.len() >= REFUTATIONS {
                break;
            }
            if self.shown.elapsed().as_secs() >= 5 {
                (self.progress)(&self.counts, self.domain.solver.questions, self.pending.len());
                self.shown = Instant::now();
            }
        }
        Ok(())
    }

    fn refute(&mut self, what: String, condition: Option<Term>) -> Result<()> {
        let example = refute::example(&mut self.domain, condition, self.fragments)?;
        let program = refute::Program { image: self.image, entry: self.entry, general: self.general };
        self.refutations.push(Refutation::new(what, example, &program));
        Ok(())
    }

    /// Follows a path to its ends, leaving others for later.
    fn follow(&mut self, mut path: Path) -> Result<(), Stopped> {
        loop {
            if self.domain.facts.take_news() {
                self.rewrite(&mut path);
            }
            self.reached.insert(path.state.next);
            self.counts.instructions += 1;
            match machine::step(self.image, &mut path.state, &mut self.domain) {
                Ok(Event::Next) => {}
                Ok(Event::Branch(condition, target)) => {
                    let next = path.state.next + 1;
                    let taken = self.branch(&path, condition, (target, next))?;
                    path.state.next = if taken { target } else { next };
                }
                Ok(Event::Call(target)) if matches!(path.phase, Phase::Fast) && target == self.general => {
                    self.hand_on(&mut path)?;
                }
                Ok(Event::Call(target)) => machine::enter::<Symbolic>(&mut path.state, target)?,
                Ok(Event::Exit(result)) => match self.end(path, result)? {
                    Some(general) => path = general,
                    None => return Ok(()),
                },
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.branch(&path, condition, (next, next))?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Puts what is known by now into all that the path holds.
    fn rewrite(&mut self, path: &mut Path) {
        let Symbolic { terms, facts, .. } = &mut self.domain;
        let mut rewriter = Rewriter::default();
        let before = facts.clone();
        path.state.change_numbers(|term| rewriter.rewrite(terms, &before, term));
        if let Phase::General(ended) = &path.phase {
            let mut state = ended.state.clone();
            state.change_numbers(|term| rewriter.rewrite(terms, &before, term));
            let action = rewriter.rewrite(terms, &before, ended.action);
            path.phase = Phase::General(Rc::new(Ended { action, state }));
        }
        facts.rewrite(terms, &mut rewriter);
    }

    /// Whether a condition holds. Where it may hold or not, the one is followed now and the other later.
    fn branch(&mut self, path: &Path, condition: Term, (there, here): (usize, usize)) -> Result<bool, Stopped> {
        if let Some(holds) = self.domain.facts.decide(&mut self.domain.terms, condition) {
            return Ok(holds);
        }
        let opposite = self.domain.terms.not(condition);
        let (may, may_not) = (self.domain.can_hold(condition)?, self.domain.can_hold(opposite)?);
        match (may, may_not) {
            (true, true) => {
                let mut other = Path { facts: self.domain.facts.clone(), ..path.clone() };
                other.state.next = here;
                let depth = self.domain.solver.depth();
                self.pending.push(Pending { path: other, depth, condition: Some(opposite) });
                self.domain.solver.push().map_err(failed)?;
                self.domain.assume(condition).map_err(failed)?;
                let _ = there;
                Ok(true)
            }
            (false, false) => Err(Stop::Failed("a path is followed that nothing takes".into())),
            (holds, _) => {
                self.domain.facts.learn(&self.domain.terms, condition, holds);
                Ok(holds)
            }
        }
    }

    /// The call of the general path: it must be handed the context and the control word, with nothing done before.
    fn hand_on(&mut self, path: &mut Path) -> Result<(), Stopped> {
        let fault = |what: &str| Err(Stop::Fault(format!("the general path is called {what}")));
        let state = &mut path.state;
        let zero = self.domain.constant(0);
        if state.registers[1] != Some(State::context(zero)) {
            return fault("with something else for the context");
        }
        let Some(Value::Number(control)) = state.registers[2] else { return fault("without a control word") };
        let read = self.domain.control();
        let is_it = self.domain.terms.equal(control, read);
        if !self.domain.holds(is_it)? {
            return fault("with something else for the control word");
        }
        if state.has_written() {
            return fault("after something was written");
        }
        state.forget_arguments();
        state.registers[0] = Some(Value::Pointer(Region::Other(GENERAL.into()), zero));
        state.next += 1;
        path.phase = Phase::HandedOn;
        Ok(())
    }

    /// The end of a program. Returns the path of the general one, if that is still to be followed.
    fn end(&mut self, path: Path, result: Value<Term>) -> Result<Option<Path>, Stopped> {
        match (path.phase, result) {
            (Phase::HandedOn, Value::Pointer(Region::Other(name), _)) if &*name == GENERAL => {
                if path.state.has_written() {
                    return Err(Stop::Fault("something is written after the general path".into()));
                }
                self.counts.handed_on += 1;
                Ok(None)
            }
            (Phase::HandedOn, _) => Err(Stop::Fault("returns something else than the general path".into())),
            (_, Value::Pointer(..)) => Err(Stop::Fault("a pointer is returned".into())),
            (Phase::Fast, Value::Number(action)) => {
                self.counts.decided += 1;
                let (zero, control) = (self.domain.constant(0), self.domain.control());
                let state = State::new(self.general, [State::context(zero), Value::Number(control)]);
                let ended = Rc::new(Ended { action, state: path.state });
                Ok(Some(Path { state, facts: Facts::default(), phase: Phase::General(ended) }))
            }
            (Phase::General(fast), Value::Number(action)) => {
                self.counts.compared += 1;
                self.compare(&fast, &Ended { action, state: path.state })?;
                Ok(None)
            }
        }
    }

    fn compare(&mut self, fast: &Ended, general: &Ended) -> Result<(), Stopped> {
        let (one, other) = (&fast.state.writes, &general.state.writes);
        let alike = |(a, b): (&Write<Term>, &Write<Term>)| a.table == b.table && a.size == b.size;
        if one.len() != other.len() || !one.iter().zip(other).all(alike) {
            let list = |writes: &[Write<Term>]| -> Vec<String> {
                writes.iter().map(|write| format!("{} bytes to {}", write.size, write.table)).collect()
            };
            return self
                .differ(format!("the fast path stores {:?}, the general path {:?}", list(one), list(other)), None);
        }
        let mut equal = vec![("the action", self.domain.terms.equal(fast.action, general.action))];
        let places: std::collections::BTreeSet<_> =
            fast.state.packet.keys().chain(general.state.packet.keys()).collect();
        for &place in places {
            let before = self.domain.packet_byte(place);
            let byte = |ended: &Ended| ended.state.packet.get(&place).copied().unwrap_or(before);
            equal.push(("a byte of the packet", self.domain.terms.equal(byte(fast), byte(general))));
        }
        for (a, b) in one.iter().zip(other) {
            equal.push(("where a table is written", self.domain.terms.equal(a.address, b.address)));
            equal.push(("what is written to a table", self.domain.terms.equal(a.value, b.value)));
        }
        let open: Vec<_> =
            equal.into_iter().filter(|(_, condition)| self.domain.terms.is_true(*condition) != Some(true)).collect();
        if open.is_empty() {
            return Ok(());
        }
        self.counts.asked += 1;
        let conditions: Vec<_> = open.iter().map(|(_, condition)| *condition).collect();
        let all = self.domain.terms.all(&conditions);
        if self.domain.holds(all)? {
            return Ok(());
        }
        for (what, condition) in open {
            if !self.domain.holds(condition)? {
                let opposite = self.domain.terms.not(condition);
                return self.differ(format!("the two paths differ in {what}"), Some(opposite));
            }
        }
        Err(Stop::Failed("the solver contradicts itself".into()))
    }

    fn differ(&mut self, what: String, condition: Option<Term>) -> Result<(), Stopped> {
        self.refute(what, condition).map_err(failed)
    }

    /// Instructions of both functions that some path came by, and how many there are.
    pub fn coverage(&self) -> [(usize, usize); 2] {
        [self.entry, self.general].map(|first| {
            let body = self.image.body(first);
            let mut all = 0;
            let mut number = body.start;
            let mut reached = 0;
            while number < body.end {
                all += 1;
                reached += usize::from(self.reached.contains(&number));
                number += if self.image.code[number].is_wide() { 2 } else { 1 };
            }
            (reached, all)
        })
    }
}

fn failed(error: anyhow::Error) -> Stopped {
    Stop::Failed(format!("{error:#}"))
}
