//! Where a stage of the specification starts: what the program holds there, and what is known.

use crate::{
    assumptions::PLACE_BITS,
    domain::{Domain as _, Stop},
    specification::{
        cell::Cell,
        link_layer,
        stage::{Flow, Formula, Stage},
        upper::{self, ICMP},
    },
    stages::{entry::Entry, keep::Keeper, live::Live, plain},
    state::State,
    symbolic::Symbolic,
    term::Term,
    value::Value,
};

/// A place in the program, and a stage.
#[derive(Clone, Debug)]
pub struct Body {
    pub stage: Stage,
    pub state: State<Term>,
    known: Known,
}

/// What else is known where a stage starts.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The frame, or its first buffer, has at least so many bytes.
    least: u64,
    /// The control word as far as it is known: what the program holds may be made of it.
    control: Term,
}

/// The shortest frame with an IP header.
const SHORTEST: u64 = 14 + 20;

impl Body {
    /// The start of the entry's function.
    pub fn start(domain: &mut Symbolic, entry: Entry, first: usize) -> Self {
        Self {
            stage: Stage::Frame,
            state: entry.state(domain, first),
            known: Known { least: 0, control: domain.any_control() },
        }
    }

    /// What is left of a state where a stage begins. What is known behind it is proven to hold before.
    pub fn new(
        domain: &mut Symbolic,
        (entry, live): (Entry, &Live),
        state: &State<Term>,
        stage: &Stage,
    ) -> Result<Self, Stop<Term>> {
        let mut keeper = Keeper::new(domain, stage, !entry.is_general());
        let Some(kept) = keeper.stage(&mut domain.terms, stage) else {
            return Err(Stop::Failed("a stage depends on more than it says".into()));
        };
        let known = Known::of(domain, entry, stage);
        for condition in conditions(domain, entry, stage, known) {
            if !domain.holds(condition)? {
                return Err(Stop::Fault(format!("goes on behind {stage:?} where it is not known to hold")));
            }
        }
        let left = left(domain, (live, stage), state, &mut keeper);
        if let Stage::Flow(_) = stage {
            holds_flow(domain, live, state, (&left, &keeper))?;
        }
        Ok(Self { stage: kept, state: left, known })
    }

    /// What is known where it begins.
    pub fn conditions(&self, domain: &mut Symbolic, entry: Entry) -> Vec<Term> {
        let mut conditions = conditions(domain, entry, &self.stage, self.known);
        if entry == Entry::Plain {
            conditions.extend(plain::conditions(domain, &self.stage));
        }
        conditions
    }

    /// What tells it from others.
    pub fn key(&self) -> String {
        let Self { stage, state, known } = self;
        format!("{} {stage:?} {:?} {:?} {known:?}", state.next, state.registers, state.stack)
    }
}

impl Known {
    fn of(domain: &mut Symbolic, entry: Entry, stage: &Stage) -> Self {
        let control = if matches!(stage, Stage::Flow(_)) { domain.control() } else { domain.any_control() };
        Self { least: least(domain, entry, stage), control }
    }
}

/// How long the frame is known to be.
fn least(domain: &mut Symbolic, entry: Entry, stage: &Stage) -> u64 {
    match stage {
        Stage::Frame | Stage::Decided(_) => 0,
        Stage::Network { place, .. } => *place,
        _ if entry.is_general() => SHORTEST,
        // Fields that are read from the frame only now.
        _ => {
            let length = domain.length();
            domain.facts.range(&domain.terms, length).0
        }
    }
}

/// What of a state is live and can be said in the names of the stage.
fn left(
    domain: &mut Symbolic,
    (live, stage): (&Live, &Stage),
    state: &State<Term>,
    keeper: &mut Keeper,
) -> State<Term> {
    // Where the service is known, no function is handed what was on the stack before.
    let shares = !matches!(stage, Stage::Service { .. } | Stage::Server { .. });
    let mut left = State { has_control: state.has_control, ..State::new(state.next, []) };
    let mut keep = |value: &Value<Term>| match value {
        Value::Number(number) => keeper.keep(&mut domain.terms, *number).map(Value::Number),
        Value::Pointer(region, at) => keeper.keep(&mut domain.terms, *at).map(|at| Value::Pointer(region.clone(), at)),
    };
    for (number, value) in (0..).zip(&state.registers) {
        let value = value.as_ref().filter(|_| live.has(state.next, number));
        left.registers[usize::from(number)] = value.and_then(&mut keep);
    }
    for (at, (size, value)) in &state.stack {
        let is_live = live.is_read(state.next, *at, *size) || shares && live.is_shared(*at, *size);
        if let Some(value) = Some(value).filter(|_| is_live).and_then(&mut keep) {
            left.stack.insert(*at, (*size, value));
        }
    }
    left
}

/// What the program still may read is made of the flow and of what does not depend on the packet; and nothing of the
/// flow is lost.
fn holds_flow(
    domain: &Symbolic,
    live: &Live,
    state: &State<Term>,
    (left, keeper): (&State<Term>, &Keeper),
) -> Result<(), Stop<Term>> {
    for (number, (before, behind)) in (0..).zip(state.registers.iter().zip(&left.registers)) {
        if before.is_some() && behind.is_none() && live.has(state.next, number) {
            return Err(Stop::Fault(format!("r{number} holds what is not of the flow")));
        }
    }
    for (at, (size, _)) in &state.stack {
        if !left.stack.contains_key(at) && live.is_read(state.next, *at, *size) {
            return Err(Stop::Fault(format!("the stack at {at} holds what is not of the flow")));
        }
    }
    let values = left.registers.iter().flatten().chain(left.stack.values().map(|(_, value)| value));
    let numbers = values.map(|value| match value {
        Value::Number(number) | Value::Pointer(_, number) => *number,
    });
    let numbers: Vec<_> = numbers.collect();
    match keeper.missing(&domain.terms, &numbers) {
        Some(name) => Err(Stop::Fault(format!("nothing holds a part of the flow: {name}"))),
        None => Ok(()),
    }
}

/// What a stage says besides its fields, by what else is known.
fn conditions(domain: &mut Symbolic, entry: Entry, stage: &Stage, known: Known) -> Vec<Term> {
    if matches!(stage, Stage::Frame | Stage::Decided(_)) {
        return Vec::new();
    }
    let (length, least) = (domain.length(), domain.constant(known.least));
    let is_less = domain.terms.less(length, least);
    let (standby, control) = (link_layer::standby(domain), domain.any_control());
    let is_control = domain.terms.equal(control, known.control);
    let mut conditions = vec![domain.terms.not(is_less), domain.terms.not(standby), is_control];
    if let Stage::Quote { at, left, .. } = stage {
        conditions.extend(of_quote(domain, *at, *left));
    }
    if let Stage::Service { cell, formula, .. } = stage {
        let is_five_tuple = Cell(*cell).is_five_tuple(domain);
        let is_it = *formula == Formula::FiveTuple;
        conditions.push(if is_it { is_five_tuple } else { domain.terms.not(is_five_tuple) });
    }
    if let (Stage::Flow(Flow { protocol, fragment: false, has_ports, .. }), true) = (stage, entry.is_general()) {
        let with_ports = upper::with_ports(&mut domain.terms, *protocol);
        conditions.push(if *has_ports { with_ports } else { domain.terms.not(with_ports) });
    }
    conditions
}

/// The error's header is in the frame, and within what the IP header says.
fn of_quote(domain: &mut Symbolic, at: Term, left: Term) -> [Term; 4] {
    let [header, places, lengths] = [ICMP, 1 << PLACE_BITS, 1 << 32].map(|number| domain.constant(number));
    let (length, end) = (domain.length(), domain.terms.add(at, header));
    let (is_beyond, is_short) = (domain.terms.less(length, end), domain.terms.less(left, header));
    let (is_place, is_length) = (domain.terms.less(at, places), domain.terms.less(left, lengths));
    [is_place, is_length, domain.terms.not(is_beyond), domain.terms.not(is_short)]
}
