//! The theorem: where the fast path decides about a packet, the general path does the same; and where it does not, it
//! has touched nothing.
//!
//! One walk over all paths, depth first. Where the fast path ends without having called the general path, that is run
//! from its start under the same conditions, on the same frame and tables, and what both did is compared.

use std::{collections::HashSet, rc::Rc, time::Instant};

use anyhow::Result;

use crate::{
    domain::{Domain as _, Stop},
    ends::{self, Side},
    facts::Facts,
    handed_on,
    image::Image,
    joins,
    pending::{Follow, Pending},
    programs::{self, Program},
    refute::{self, Refutation},
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::Value,
};

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
    /// Calls of functions that were not looked into.
    pub by_contract: u64,
    pub instructions: u64,
}

/// How the fast path ended.
#[derive(Debug)]
pub struct Ended {
    pub action: Term,
    pub state: State<Term>,
}

#[derive(Clone, Debug)]
pub enum Phase {
    Fast,
    /// The general path was called by the fast one.
    HandedOn,
    General(Rc<Ended>),
}

#[derive(Clone, Debug)]
pub struct Path {
    pub state: State<Term>,
    pub facts: Facts,
    pub phase: Phase,
    /// Whether it came by the instruction that alone matters.
    pub is_touched: bool,
}

impl Path {
    /// Goes on where sides of a branch have met.
    pub fn go_on(&mut self, side: &joins::Side) {
        self.state.next = side.at;
        self.state.registers = side.registers.clone();
    }
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
        if let Phase::General(ended) = &self.phase {
            let mut state = ended.state.clone();
            state.change_numbers(&mut change);
            self.phase = Phase::General(Rc::new(Ended { action: change(ended.action), state }));
        }
    }
}

/// An instruction, and all others from which it can be reached.
#[derive(Debug)]
pub struct Focus {
    pub number: usize,
    pub leads_there: HashSet<usize>,
    pub searches: Searches,
    /// How many paths were not followed because they search.
    pub left_out: u64,
}

/// What is done where the fast path calls a function with a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Searches {
    /// Such paths are left out.
    LeftOut,
    /// It is called by its contract: quick, but no example can be found.
    ByContract,
    /// It is gone into.
    GoneInto,
}

/// The proof of one program.
#[derive(Debug)]
pub struct Prover<'a> {
    pub image: &'a Image,
    pub entry: usize,
    pub general: usize,
    pub program: &'static Program,
    pub domain: Symbolic,
    pub pending: Pending<Path>,
    pub counts: Counts,
    pub refutations: Vec<Refutation>,
    pub reached: HashSet<usize>,
    /// Branches whose sides do not meet again soon.
    pub apart: HashSet<usize>,
    pub focus: Option<Focus>,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Called now and then.
    pub progress: fn(&Prover<'_>),
    pub shown: Instant,
}

pub type Stopped = Stop<Term>;

impl<'a> Prover<'a> {
    pub fn new(image: &'a Image, program: &str, progress: fn(&Prover<'_>)) -> Result<Self> {
        let program = programs::find(program)?;
        let mut domain = Symbolic::new(program.kind)?;
        // Of other programs it is not asked which half they read.
        if program.is_balancer() {
            domain.read_one_half();
        } else {
            domain.keep_cells()?;
        }
        Ok(Self {
            image,
            entry: image.function(program.name)?,
            general: programs::general(image, program.name)?,
            program,
            domain,
            pending: Pending::default(),
            counts: Counts::default(),
            refutations: Vec::new(),
            reached: HashSet::new(),
            apart: HashSet::new(),
            focus: None,
            deadline: None,
            progress,
            shown: Instant::now(),
        })
    }

    pub fn refute(&mut self, what: String, condition: Option<Term>) -> Result<()> {
        if self.goes_by_contracts() && self.focus.is_some() {
            self.refutations.push(Refutation { what, example: None, is_confirmed: false });
            return Ok(());
        }
        let example = refute::example(&mut self.domain, condition)?;
        let sends = self.program.is_balancer();
        let run = refute::Run { image: self.image, entry: self.entry, general: self.general, sends };
        self.refutations.push(Refutation::new(what, example, &run));
        Ok(())
    }

    /// The end of a program. Returns the path of the general one, if that is still to be followed.
    pub fn end(&mut self, path: Path, result: Value<Term>) -> Result<Option<Path>, Stopped> {
        match (path.phase, result) {
            (Phase::HandedOn, result) => {
                handed_on::end(&path.state, &result)?;
                self.counts.handed_on += 1;
                Ok(None)
            }
            (_, Value::Pointer(..)) => Err(Stop::Fault("a pointer is returned".into())),
            (Phase::Fast, Value::Number(action)) => {
                self.sends_what_it_changed(action, &path.state)?;
                self.counts.decided += 1;
                let (zero, control) = (self.domain.constant(0), self.domain.control());
                let state = State::handed(self.general, State::context(zero), control);
                let ended = Rc::new(Ended { action, state: path.state });
                Ok(Some(Path {
                    state,
                    facts: Facts::default(),
                    phase: Phase::General(ended),
                    is_touched: path.is_touched,
                }))
            }
            (Phase::General(fast), Value::Number(action)) => {
                self.sends_what_it_changed(action, &path.state)?;
                self.counts.compared += 1;
                self.compare(&fast, &Ended { action, state: path.state })?;
                Ok(None)
            }
        }
    }

    /// Other programs leave packets with another MAC to the kernel.
    fn sends_what_it_changed(&mut self, action: Term, state: &State<Term>) -> Result<(), Stopped> {
        if !self.program.is_balancer() {
            return Ok(());
        }
        ends::sends_what_it_changed(&mut self.domain, action, state)
    }

    fn compare(&mut self, fast: &Ended, general: &Ended) -> Result<(), Stopped> {
        let sides = [("fast path", fast), ("general path", general)].map(|(name, Ended { action, state })| Side {
            name,
            action: *action,
            start: state.start,
            packet: &state.packet,
            writes: &state.writes,
        });
        let compared = ends::compare(&mut self.domain, &sides)?;
        self.counts.asked += u64::from(compared.asked);
        match compared.difference {
            None => Ok(()),
            Some((what, condition)) => self.refute(what, condition).map_err(failed),
        }
    }

    /// Instructions of both functions that some path came by, and how many there are.
    pub fn coverage(&self) -> [(usize, usize); 2] {
        [self.entry, self.general].map(|first| self.image.coverage(first, &self.reached))
    }
}

/// What the solver could not do.
pub fn failed(error: anyhow::Error) -> Stopped {
    Stop::Failed(format!("{error:#}"))
}
