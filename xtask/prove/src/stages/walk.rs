//! The walk over all paths of a function, from one stage to the next.

use crate::{
    calls, contracts,
    domain::{Domain as _, Stop},
    half::CELLS,
    handed_on,
    insn::Operation,
    machine::{self, Event},
    pending,
    specification::{self, lookup::few::Few, service, stage::Stage, world::World},
    stages::{
        body::Body,
        entry::{Entry, SEARCH, SEARCH_PREFIX, UNDECIDED},
        plain,
        prover::{Path, Phase, Prover, Stopped},
    },
    state::State,
    symbolic::{Symbolic, TABLE},
    term::Term,
    value::{Region, Value},
};

/// The bytes of a cell, and where its key ends.
const CELL: u64 = 64;
const KEY: u64 = 20;

impl Prover<'_> {
    /// Follows a path to its ends, leaving others for later.
    pub fn follow(&mut self, mut path: Path) -> Result<(), Stopped> {
        // It may begin behind a branch.
        if path.action.is_none() && self.is_at_next(&mut path)? {
            return Ok(());
        }
        loop {
            if self.domain.facts.take_news() {
                pending::rewrite(&mut self.domain, &mut path);
            }
            if path.action.is_some() {
                return self.end(path);
            }
            if self.is_at_cut(&path) && self.goes_on(&mut path)? {
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
                    if self.is_at_next(&mut path)? {
                        return Ok(());
                    }
                }
                Ok(Event::Call(target)) => self.call(&mut path, target)?,
                Ok(Event::Exit(value)) => {
                    let Some(action) = self.exit(&path, value)? else { return Ok(()) };
                    path.action = Some(action);
                }
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, &path, condition, next)?;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    fn call(&mut self, path: &mut Path, target: usize) -> Result<(), Stopped> {
        if self.entry == Entry::Fast && target == self.general {
            path.phase = Phase::HandedOn;
            return handed_on::call(&mut self.domain, &mut path.state);
        }
        if self.entry == Entry::Fast && target == self.searched {
            return self.search(path);
        }
        match contracts::function(self.image.name_at(target)) {
            Some(function) => {
                self.counts.by_contract += 1;
                calls::by_contract(self.image, &mut self.domain, &mut path.state, function, target)
            }
            None => machine::enter::<Symbolic>(&mut path.state, target),
        }
    }

    /// The fast path is left to the function that searches. It must be told what few cells tell.
    fn search(&mut self, path: &mut Path) -> Result<(), Stopped> {
        let Some(Value::Number(search)) = path.state.registers[3] else {
            return Err(Stop::Fault("the search is called without what is to be searched".into()));
        };
        let search = self.domain.terms.slice(search, 0, 32);
        // Before anything is done: what the rule leaves open is looked at from this call on.
        let few = self.rule(path, |world, stage| {
            match specification::until(world, stage, |stage| matches!(stage, Stage::Flow(_)))? {
                Stage::Flow(flow) => specification::ask(world, |world| service::few(world, &flow)).map(Some),
                _ => Ok(None),
            }
        })?;
        match (self.domain.known(&search), few) {
            (Some(SEARCH), Some(Few::Unknown)) | (Some(SEARCH_PREFIX), Some(Few::Prefix)) => {}
            (search, few) => {
                return Err(Stop::Fault(format!("{search:?} is searched where few cells tell {few:?}")));
            }
        }
        handed_on::call(&mut self.domain, &mut path.state)?;
        let result = self.domain.terms.unknown("searched", 32);
        let result = self.domain.terms.zero_extend(result, 64);
        path.phase = Phase::Searched(result);
        path.state.registers[0] = Some(Value::Number(result));
        Ok(())
    }

    /// What the function returns, if that is its own decision.
    fn exit(&mut self, path: &Path, value: Value<Term>) -> Result<Option<Term>, Stopped> {
        let state = &path.state;
        match (path.phase, value) {
            (Phase::HandedOn, value) => {
                handed_on::end(state, &value)?;
                self.counts.handed_on += 1;
                Ok(None)
            }
            (_, Value::Pointer(..)) => Err(Stop::Fault("a pointer is returned".into())),
            (Phase::Searched(result), Value::Number(action)) => {
                let same = self.domain.terms.equal(result, action);
                if state.has_written() || !self.domain.holds(same)? {
                    return Err(Stop::Fault("something else is done than the search has decided".into()));
                }
                self.counts.handed_on += 1;
                Ok(None)
            }
            (Phase::Own, Value::Number(action)) => {
                let is_undecided =
                    matches!(self.entry, Entry::Searched { .. }) && self.domain.known(&action) == Some(UNDECIDED);
                if !is_undecided {
                    return Ok(Some(action));
                }
                if state.has_written() {
                    return Err(Stop::Fault("something is written before the general path".into()));
                }
                self.counts.handed_on += 1;
                Ok(None)
            }
        }
    }

    /// Whether this is a place where a stage of its own must begin: where the next instruction begins to look for the
    /// packet's service, or to read more of that than its key.
    fn is_at_cut(&self, path: &Path) -> bool {
        let state = &path.state;
        let Some(insn) = self.image.code.get(state.next) else { return false };
        if state.has_written() || !matches!(path.phase, Phase::Own) {
            return false;
        }
        let is_outside = state.callers.is_empty();
        let calls = |part| insn.target.is_some_and(|target| self.image.name_at(target).contains(part));
        let is_lookup =
            calls("modlb_search") || insn.symbol.as_deref().and_then(|it| it.strip_prefix(TABLE)) == Some(CELLS);
        match self.stage {
            Stage::Network { .. } => is_lookup || calls("5quote5read") && is_outside,
            Stage::Quote { .. } => is_lookup && is_outside,
            Stage::Frame => !self.entry.is_general() && is_outside && self.reads_service(state),
            Stage::Flow(_) => is_outside && self.reads_service(state),
            Stage::Service { .. } | Stage::Server { .. } | Stage::Decided(_) => false,
        }
    }

    /// Whether the next instruction reads more of a service's cell than its key.
    fn reads_service(&self, state: &State<Term>) -> bool {
        let insn = &self.image.code[state.next];
        let Ok(Operation::Load { .. }) = insn.operation() else { return false };
        let Some(Some(Value::Pointer(Region::Table(table), at))) = state.registers.get(usize::from(insn.src)) else {
            return false;
        };
        let offset = self.domain.terms.offset(*at).wrapping_add(i64::from(insn.off) as u64);
        &**table == CELLS && offset % CELL >= KEY
    }

    /// What a rule says on this path. What it asks and the path leaves open is decided; the other case is for later.
    fn rule<T>(
        &mut self,
        path: &mut Path,
        rule: impl Fn(&mut World<'_>, &Stage) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        loop {
            match rule(&mut World::new(&mut self.domain, true, self.entry.search()), &self.stage) {
                Err(Stop::Fork(condition)) => {
                    let next = path.state.next;
                    self.pending.branch(&mut self.domain, path, condition, next)?;
                    pending::rewrite(&mut self.domain, path);
                }
                result => return result,
            }
        }
    }

    /// Whether the specification is plainly at its next stage, unless that is the flow or the service. Then that is
    /// looked at by itself, and this path ends.
    fn is_at_next(&mut self, path: &mut Path) -> Result<bool, Stopped> {
        let looks = match self.stage {
            Stage::Frame | Stage::Network { .. } | Stage::Quote { .. } => self.entry.is_general(),
            Stage::Service { .. } => true,
            Stage::Flow(_) | Stage::Server { .. } | Stage::Decided(_) => false,
        };
        if !looks || !path.state.callers.is_empty() || path.state.has_written() {
            return Ok(false);
        }
        let asks = self.stage == Stage::Frame;
        let mut world = World::new(&mut self.domain, asks, self.entry.search());
        match specification::next(&mut world, &self.stage) {
            // What the flow is may be known before the program has read all of it.
            Ok(Stage::Decided(_) | Stage::Flow(_)) | Err(Stop::Fork(_)) => Ok(false),
            Ok(stage) => self.arrive(path, &stage),
            Err(stop) => Err(stop),
        }
    }

    /// The same where a stage of its own must begin.
    fn goes_on(&mut self, path: &mut Path) -> Result<bool, Stopped> {
        let is_general = self.entry.is_general();
        let stage = self.rule(path, |world, stage| match is_general {
            true => specification::next(world, stage),
            false => specification::until(world, stage, |stage| matches!(stage, Stage::Service { .. })),
        })?;
        if matches!(stage, Stage::Decided(_)) {
            return Ok(false);
        }
        self.is_plain(path)?;
        if let Some(cell) = stage.cell() {
            // From there on any cell is taken for it, so all of it must be in its place.
            self.rule(path, |world, _| world.domain.prove_access(CELLS, cell, CELL as u32))?;
        }
        self.arrive(path, &stage)
    }

    fn arrive(&mut self, path: &Path, stage: &Stage) -> Result<bool, Stopped> {
        self.counts.arrived += 1;
        let body = Body::new(&mut self.domain, (self.entry, &self.live), &path.state, stage)?;
        if self.known.insert(body.key()) {
            self.waiting.push(body);
        }
        Ok(true)
    }

    /// The fast path decides about plain packets alone.
    fn is_plain(&mut self, path: &mut Path) -> Result<(), Stopped> {
        if self.entry.is_general() || self.stage != Stage::Frame {
            return Ok(());
        }
        let stage = self.rule(path, |world, stage| {
            specification::until(world, stage, |stage| matches!(stage, Stage::Network { .. }))
        })?;
        let mut conditions = plain::conditions(&mut self.domain, &stage);
        if conditions.is_empty() {
            conditions.push(self.domain.terms.truth(false));
        }
        for condition in conditions {
            if !self.domain.holds(condition)? {
                return Err(Stop::Fault("the fast path decides about what is no plain packet".into()));
            }
        }
        Ok(())
    }

    /// The end of the function: what it did must be what the specification says.
    fn end(&mut self, mut path: Path) -> Result<(), Stopped> {
        self.is_plain(&mut path)?;
        let verdict = self.rule(&mut path, specification::verdict)?;
        let Some(action) = path.action else { return Err(Stop::Failed("the program is not at its end".into())) };
        self.compare(&path.state, action, &verdict)
    }
}
