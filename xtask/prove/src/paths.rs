//! The walk over all paths, depth first: where a condition may hold or not, both sides are followed.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{
    calls, contracts,
    domain::{Domain as _, Stop},
    handed_on,
    joins::{self, Joined},
    machine::{self, Event},
    pending,
    refute::USUAL,
    state::State,
    symbolic::Symbolic,
    term::Term,
    theorem::{Focus, Path, Phase, Prover, Searches, Stopped},
};

/// After so many that no frame confirms, or one that a frame does, there is no need for more.
const REFUTATIONS: usize = 20;

impl Prover<'_> {
    /// Leaves out paths that do not come by this instruction. For changed programs: what others do is as before, so
    /// what is proven then is proven of these paths alone.
    pub fn focus(&mut self, number: usize, searches: Searches) {
        // What another half decides is to be seen.
        self.domain.half = None;
        let leads_there = self.image.leading_to(number);
        self.focus = Some(Focus { number, leads_there, searches, left_out: 0 });
    }

    /// Whether functions with a contract are called by it. An example has to be found in tables, so for its sake they
    /// are gone into, and have very many paths.
    pub fn goes_by_contracts(&self) -> bool {
        self.focus.as_ref().is_none_or(|focus| focus.searches == Searches::ByContract)
    }

    /// Assumes numbers of an instance that can be loaded, and a machine with two CPUs.
    pub fn assume_usual(&mut self) -> Result<()> {
        for (name, value) in USUAL {
            let number = self.domain.number(name).context("a number that is not known")?;
            let value = self.domain.constant(value);
            let is_it = self.domain.terms.equal(number, value);
            self.domain.assume(is_it)?;
        }
        let (cpu, two) = (self.domain.cpu(), self.domain.constant(2));
        let is_there = self.domain.terms.less(cpu, two);
        self.domain.assume(is_there)
    }

    /// Whether a path cannot come by the instruction that matters any more.
    fn is_left_out(&self, path: &mut Path) -> bool {
        let Some(focus) = &self.focus else { return false };
        let here = path.state.next;
        path.is_touched |= here == focus.number;
        // Behind the fast path the general one is run in any case.
        let is_still_to_come = matches!(path.phase, Phase::Fast) && focus.leads_there.contains(&self.general);
        let is_done = path.state.callers.is_empty() && !path.is_touched && !is_still_to_come;
        is_done && !focus.leads_there.contains(&here)
    }

    /// Follows all paths. An error: nothing is proven.
    pub fn run(&mut self) -> Result<()> {
        if !self.domain.solver.is_possible()? {
            bail!("the assumptions contradict each other");
        }
        let zero = self.domain.constant(0);
        let state = State::new(self.entry, [State::context(zero)]);
        let path = Path { state, facts: self.domain.facts.clone(), phase: Phase::Fast, is_touched: false };
        let mut next = Some(path);
        while let Some(path) = next {
            match self.follow(path) {
                Ok(()) => {}
                Err(Stop::Failed(what)) => bail!(what),
                Err(Stop::Fault(what)) => self.refute(what, None)?,
                Err(Stop::Fork(_)) => bail!("an instruction is undecided"),
            }
            let confirmed = self.refutations.iter().any(|refutation| refutation.is_confirmed);
            let most = if self.focus.is_some() && self.goes_by_contracts() { 1 } else { REFUTATIONS };
            if confirmed || self.refutations.len() >= most {
                break;
            }
            if self.deadline.is_some_and(|deadline| deadline < Instant::now()) {
                bail!("it takes too long");
            }
            if self.shown.elapsed().as_secs() >= 5 {
                (self.progress)(self);
                self.shown = Instant::now();
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
            if self.is_left_out(&mut path) {
                return Ok(());
            }
            self.reached.insert(path.state.next);
            self.counts.instructions += 1;
            match machine::step(self.image, &mut path.state, &mut self.domain) {
                Ok(Event::Next) => {}
                Ok(Event::Branch(condition, target)) if self.joins(&mut path, condition, target)? => {}
                Ok(Event::Branch(condition, target)) => {
                    let next = path.state.next + 1;
                    let taken = self.pending.branch(&mut self.domain, &path, condition, next)?;
                    path.state.next = if taken { target } else { next };
                }
                Ok(Event::Call(target)) if matches!(path.phase, Phase::Fast) && target == self.general => {
                    handed_on::call(&mut self.domain, &mut path.state)?;
                    path.phase = Phase::HandedOn;
                }
                Ok(Event::Call(target)) if self.leaves_out_call(&path, target) => return Ok(()),
                Ok(Event::Call(target)) => self.call(&mut path, target)?,
                Ok(Event::Exit(result)) => match self.end(path, result)? {
                    Some(general) => path = general,
                    None => return Ok(()),
                },
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, &path, condition, next)?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Goes on behind a branch whose sides meet again, where they met. Whether it is one.
    fn joins(&mut self, path: &mut Path, condition: Term, target: usize) -> Result<bool, Stopped> {
        let here = path.state.next;
        if self.focus.is_some() || self.program.is_balancer() || self.apart.contains(&here) {
            return Ok(false);
        }
        if self.domain.both_or(condition)?.is_some() {
            return Ok(false);
        }
        let Some(Joined { met, other, run }) =
            joins::follow(self.image, &mut self.domain, &path.state, (condition, target))
        else {
            self.apart.insert(here);
            return Ok(false);
        };
        self.reached.extend(run);
        let before = path.clone();
        path.go_on(&met);
        if let Some(other) = other {
            let mut outside = before;
            outside.go_on(&other);
            if !self.pending.split(&mut self.domain, met.condition, || outside.clone())? {
                *path = outside;
            }
        }
        Ok(true)
    }

    /// Whether paths on which the fast path calls this function are left out.
    fn leaves_out_call(&mut self, path: &Path, target: usize) -> bool {
        let Some(focus) = &mut self.focus else { return false };
        let is = focus.searches == Searches::LeftOut
            && matches!(path.phase, Phase::Fast)
            && contracts::function(self.image.name_at(target)).is_some();
        focus.left_out += u64::from(is);
        is
    }

    /// A call of a function: by its contract, or into it.
    fn call(&mut self, path: &mut Path, target: usize) -> Result<(), Stopped> {
        match contracts::function(self.image.name_at(target)) {
            Some(function) if self.goes_by_contracts() && !self.program.enters(function) => {
                self.counts.by_contract += 1;
                calls::by_contract(self.image, &mut self.domain, &mut path.state, function, target)
            }
            _ => machine::enter::<Symbolic>(&mut path.state, target),
        }
    }
}
