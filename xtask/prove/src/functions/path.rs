//! A path of a function, and what was done with all of them.

use crate::{facts::Facts, pending::Follow, specification::call::Step, state::State, term::Term};

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Places where a round begins, each looked at once; and the function's start.
    pub bodies: u64,
    /// Paths that came to one of them.
    pub arrived: u64,
    /// Ends of paths that were compared with the rule.
    pub compared: u64,
    /// Of these, ends where the solver was asked because terms were not the same.
    pub asked: u64,
    pub by_contract: u64,
    pub instructions: u64,
}

#[derive(Clone, Debug)]
pub struct Path {
    pub state: State<Term>,
    pub facts: Facts,
    /// The rule's step; if it `is_next`, the one behind the body's.
    pub step: Step,
    pub is_next: bool,
    /// Whether it has gone on from where the body begins.
    pub has_moved: bool,
    /// What the function has returned, if it is at its end.
    pub returned: Option<Term>,
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
        self.step.change(&mut change);
        self.returned = self.returned.map(change);
    }
}
