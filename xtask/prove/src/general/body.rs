//! Where a stage of the specification starts: what the program holds there, and what is known.

use crate::{
    assumptions::PLACE_BITS,
    domain::{Domain as _, Stop},
    general::{
        keep::Keeper,
        live::{Live, Slot},
    },
    specification::{
        link_layer,
        stage::{Flow, Stage},
        upper::{self, ICMP},
    },
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
}

/// The frame's shortest length behind the link layer.
const ETHERNET: u64 = 14;

impl Body {
    /// The start of the general path.
    pub fn start(domain: &mut Symbolic, first: usize) -> Self {
        let (zero, control) = (domain.constant(0), domain.control());
        let state = State::handed(first, State::context(zero), control);
        Self { stage: Stage::Frame, state }
    }

    /// What is left of a state where a stage begins. What is known behind it is proven to hold before.
    pub fn new(domain: &mut Symbolic, live: &Live, state: &State<Term>, stage: &Stage) -> Result<Self, Stop<Term>> {
        let mut keeper = Keeper::new(&mut domain.terms, stage);
        let Some(kept) = keeper.stage(&mut domain.terms, stage) else {
            return Err(Stop::Failed("a stage depends on more than it says".into()));
        };
        for condition in conditions(domain, stage) {
            if !domain.holds(condition)? {
                return Err(Stop::Fault(format!("goes on behind {stage:?} where it is not known to hold")));
            }
        }
        let left = left(domain, live, state, &mut keeper);
        if let Stage::Flow(_) = stage {
            holds_flow(domain, live, state, (&left, &keeper))?;
        }
        Ok(Self { stage: kept, state: left })
    }

    /// What tells it from others.
    pub fn key(&self) -> String {
        let Self { stage, state } = self;
        format!("{} {stage:?} {:?} {:?}", state.next, state.registers, state.stack)
    }
}

/// What of a state is live and can be said in the names of the stage.
fn left(domain: &mut Symbolic, live: &Live, state: &State<Term>, keeper: &mut Keeper) -> State<Term> {
    let mut left = State { has_control: state.has_control, ..State::new(state.next, []) };
    let mut keep = |value: &Value<Term>| match value {
        Value::Number(number) => keeper.keep(&mut domain.terms, *number).map(Value::Number),
        Value::Pointer(region, at) => keeper.keep(&mut domain.terms, *at).map(|at| Value::Pointer(region.clone(), at)),
    };
    for (number, value) in (0..).zip(&state.registers) {
        let value = value.as_ref().filter(|_| live.has(state.next, Slot::Register(number)));
        left.registers[usize::from(number)] = value.and_then(&mut keep);
    }
    for (at, (size, value)) in &state.stack {
        if let Some(value) = Some(value).filter(|_| is_live(live, state.next, *at, *size)).and_then(&mut keep) {
            left.stack.insert(*at, (*size, value));
        }
    }
    left
}

fn is_live(live: &Live, next: usize, at: i64, size: u32) -> bool {
    (at..at + i64::from(size)).any(|at| live.has(next, Slot::Stack(at as i16)))
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
        if before.is_some() && behind.is_none() && live.has(state.next, Slot::Register(number)) {
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
pub fn conditions(domain: &mut Symbolic, stage: &Stage) -> Vec<Term> {
    let least = match stage {
        Stage::Frame | Stage::Decided(_) => return Vec::new(),
        Stage::Network { place, .. } => *place,
        Stage::Quote { .. } | Stage::Flow(_) => ETHERNET,
    };
    let (length, least) = (domain.length(), domain.constant(least));
    let is_less = domain.terms.less(length, least);
    let standby = link_layer::standby(domain);
    let mut conditions = vec![domain.terms.not(is_less), domain.terms.not(standby)];
    if let Stage::Quote { at, left, .. } = stage {
        conditions.extend(of_quote(domain, *at, *left));
    }
    if let Stage::Flow(Flow { protocol, fragment: false, has_ports, .. }) = stage {
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
