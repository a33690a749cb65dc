//! Where a round of a rule begins: what the function holds there, in terms of what the rule knows.

use crate::{
    contracts::Argument,
    domain::{Domain as _, Stop},
    specification::{
        call::{Round, Rule, Step},
        world::{Search, World},
    },
    stages::{Keeper, Live, ROUND},
    state::State,
    symbolic::Symbolic,
    term::{Node, Term, Terms},
    value::Value,
};

/// A place in the function, and how far the rule is.
#[derive(Clone, Debug)]
pub struct Body {
    pub step: Step,
    /// What is known of the arguments' bits.
    pub known: Vec<Term>,
    pub state: State<Term>,
}

impl Body {
    /// What is left of a state where a round begins; `None`: the function holds what the round does not know, so for it
    /// the round has not begun.
    ///
    /// All that the rule has calculated gets a new name, and may be anything from there on.
    pub fn new(
        domain: &mut Symbolic,
        (rule, live): (&Rule, &Live),
        state: &State<Term>,
        round: &Round,
        arguments: &[Term],
    ) -> Result<Option<Self>, Stop<Term>> {
        let mut names = Names { keeper: Keeper::default(), round };
        for (number, term) in round.state.iter().enumerate() {
            if is_fixed(&domain.terms, *term) {
                continue;
            }
            names.keeper.name(&mut domain.terms, *term, &format!("{ROUND}{}, {number}", round.number));
        }
        let Some(state) = names.state(domain, live, state)? else { return Ok(None) };
        for condition in (rule.invariant)(&mut World::new(domain, true, Search::Few), round) {
            if !domain.holds(condition)? {
                return Err(Stop::Fault(format!("round {} begins where it must not", round.number)));
            }
        }
        let in_names: Option<Vec<_>> =
            round.state.iter().map(|term| names.keeper.keep(&mut domain.terms, *term)).collect();
        let Some(in_names) = in_names else { return Err(Stop::Failed("a round knows what has no name".into())) };
        let known = arguments.iter().map(|argument| {
            let refined = domain.facts.refine(&mut domain.terms, *argument);
            domain.terms.equal(*argument, refined)
        });
        Ok(Some(Self { step: Step::round(round.number, in_names), known: known.collect(), state }))
    }

    /// What tells it from others.
    pub fn key(&self) -> String {
        let Self { step, known, state } = self;
        format!("{} {step:?} {known:?} {:?} {:?}", state.next, state.registers, state.stack)
    }
}

struct Names<'a> {
    keeper: Keeper,
    round: &'a Round,
}

impl Names<'_> {
    /// All that may still be read, in the round's names, if all of these are there.
    fn state(
        &mut self,
        domain: &mut Symbolic,
        live: &Live,
        state: &State<Term>,
    ) -> Result<Option<State<Term>>, Stop<Term>> {
        let mut kept = State::new(state.next, []);
        for (number, value) in (0..).zip(&state.registers) {
            let Some(value) = value.as_ref().filter(|_| live.has(state.next, number)) else { continue };
            let Some(value) = self.value(domain, value)? else { return Ok(None) };
            kept.registers[usize::from(number)] = Some(value);
        }
        for (at, (size, value)) in &state.stack {
            if !live.is_read(state.next, *at, *size) {
                continue;
            }
            let Some(value) = self.value(domain, value)? else { return Ok(None) };
            kept.stack.insert(*at, (*size, value));
        }
        let values = kept.registers.iter().flatten().chain(kept.stack.values().map(|(_, value)| value));
        let numbers: Vec<_> = values.map(|(Value::Number(number) | Value::Pointer(_, number))| *number).collect();
        Ok(self.keeper.missing(&domain.terms, &numbers).is_none().then_some(kept))
    }

    fn value(&mut self, domain: &mut Symbolic, value: &Value<Term>) -> Result<Option<Value<Term>>, Stop<Term>> {
        Ok(match value {
            Value::Number(number) => self.number(domain, *number)?.map(Value::Number),
            Value::Pointer(region, at) => self.number(domain, *at)?.map(|at| Value::Pointer(region.clone(), at)),
        })
    }

    /// The same in new names: by its form, or because it is one of the rule's numbers.
    fn number(&mut self, domain: &mut Symbolic, number: Term) -> Result<Option<Term>, Stop<Term>> {
        if let Some(kept) = self.keeper.keep(&mut domain.terms, number) {
            return Ok(Some(kept));
        }
        for known in &self.round.state {
            let is_it = domain.terms.equal(number, *known);
            if domain.holds(is_it)? {
                return Ok(self.keeper.keep(&mut domain.terms, *known));
            }
        }
        Ok(None)
    }
}

/// Whether it is one of the numbers that user space fills in, or an argument. A new name would replace it elsewhere as
/// well.
fn is_fixed(terms: &Terms, term: Term) -> bool {
    matches!(terms.node(term), Node::Unknown(name) if !name.starts_with(ROUND))
}

/// Any arguments of a function, and its rule's.
pub fn arguments(domain: &mut Symbolic, of: &[Argument]) -> Option<(Vec<Value<Term>>, Vec<Term>)> {
    let (mut values, mut numbers) = (Vec::new(), Vec::new());
    for (place, argument) in of.iter().enumerate() {
        match argument {
            Argument::Context => values.push(State::context(domain.constant(0))),
            Argument::Number => {
                let number = domain.terms.unknown(&format!("argument {place}"), 64);
                values.push(Value::Number(number));
                numbers.push(number);
            }
            Argument::Stack(_) => return None,
        }
    }
    Some((values, numbers))
}
