//! Rules about functions that the programs call: what they return. Long ones go by rounds, so that each round is looked
//! at by itself.

use crate::{
    domain::Stop,
    specification::world::{Halt, Ruled, World},
    term::Term,
};

/// All that a rule knows, besides the arguments, where a round begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Round {
    pub number: u64,
    pub state: Vec<Term>,
}

/// How far a rule is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    Start,
    Round(Round),
    Returns(Term),
}

/// What one function returns. Arguments are its numbers, in their order.
#[derive(Debug)]
pub struct Rule {
    /// The name of its contract.
    pub name: &'static str,
    pub start: fn(&mut World<'_>, &[Term]) -> Ruled<Step>,
    pub round: fn(&mut World<'_>, &[Term], &Round) -> Ruled<Step>,
    /// What holds wherever a round begins. It is proven before it is used.
    pub invariant: fn(&mut World<'_>, &Round) -> Vec<Term>,
}

impl Rule {
    /// A rule that needs no rounds.
    pub const fn at_once(name: &'static str, start: fn(&mut World<'_>, &[Term]) -> Ruled<Step>) -> Self {
        Self { name, start, round: no_round, invariant: nothing }
    }

    /// The next step. [`Stop::Fork`]: what is known here does not tell which.
    pub fn next(&self, world: &mut World<'_>, arguments: &[Term], step: &Step) -> Result<Step, Stop<Term>> {
        let next = match step {
            Step::Start => (self.start)(world, arguments),
            Step::Round(round) => (self.round)(world, arguments, round),
            Step::Returns(_) => Ok(step.clone()),
        };
        next.map_err(|halt| match halt {
            Halt::Stop(stop) => stop,
            Halt::Outcome(outcome) => Stop::Failed(format!("{} has the outcome {outcome:?}", self.name)),
        })
    }
}

impl Step {
    pub fn round(number: u64, state: impl IntoIterator<Item = Term>) -> Self {
        Self::Round(Round { number, state: state.into_iter().collect() })
    }

    /// Replaces every term by another.
    pub fn change(&mut self, mut change: impl FnMut(Term) -> Term) {
        match self {
            Self::Start => {}
            Self::Round(round) => round.state.iter_mut().for_each(|term| *term = change(*term)),
            Self::Returns(value) => *value = change(*value),
        }
    }
}

fn no_round(_: &mut World<'_>, _: &[Term], _: &Round) -> Ruled<Step> {
    Err(Stop::Failed("a rule without rounds has a round".into()).into())
}

/// Of rounds of which nothing more is known.
pub fn nothing(_: &mut World<'_>, _: &Round) -> Vec<Term> {
    Vec::new()
}

/// So many arguments, or so many parts of a round's state.
pub fn parts<const N: usize>(of: &[Term]) -> Ruled<[Term; N]> {
    of.try_into().map_err(|_| Stop::Failed(format!("{} arguments, not {N}", of.len())).into())
}
