//! Paths that are still to be followed, depth first: where a condition may hold or not, the one is followed at once and
//! the other is kept here.

use anyhow::Result;

use crate::{
    domain::Stop,
    facts::Facts,
    rewrite::Rewriter,
    state::State,
    symbolic::{Fork, Symbolic},
    term::Term,
};

/// A path of a program.
pub trait Follow: Clone {
    fn state(&mut self) -> &mut State<Term>;

    /// What was known where it was branched off.
    fn facts(&mut self) -> &mut Facts;

    /// Replaces every term that it holds by another.
    fn change(&mut self, change: impl FnMut(Term) -> Term);
}

/// One of them: where what holds on it was branched off, and what holds besides.
#[derive(Debug)]
struct Later<P> {
    path: P,
    depth: usize,
    condition: Term,
}

#[derive(Debug)]
pub struct Pending<P> {
    later: Vec<Later<P>>,
}

impl<P> Default for Pending<P> {
    fn default() -> Self {
        Self { later: Vec::new() }
    }
}

impl<P: Follow> Pending<P> {
    pub fn len(&self) -> usize {
        self.later.len()
    }

    pub fn clear(&mut self) {
        self.later.clear();
    }

    /// The newest one, with all that holds on it.
    pub fn next(&mut self, domain: &mut Symbolic) -> Result<Option<P>> {
        let Some(Later { mut path, depth, condition }) = self.later.pop() else { return Ok(None) };
        domain.solver.back_to(depth)?;
        domain.facts = path.facts().clone();
        domain.solver.push()?;
        domain.assume(condition)?;
        Ok(Some(path))
    }

    /// Whether a condition holds. Where it may hold or not, the one is followed now, and the other later, from
    /// `otherwise` on.
    pub fn branch(
        &mut self,
        domain: &mut Symbolic,
        path: &P,
        condition: Term,
        otherwise: usize,
    ) -> Result<bool, Stop<Term>> {
        self.split(domain, condition, || {
            let mut other = path.clone();
            other.state().next = otherwise;
            other
        })
    }

    /// The same with the path that is followed later.
    pub fn split(
        &mut self,
        domain: &mut Symbolic,
        condition: Term,
        other: impl FnOnce() -> P,
    ) -> Result<bool, Stop<Term>> {
        let (facts, depth, opposite) = match domain.fork(condition)? {
            Fork::Decided(holds) => return Ok(holds),
            Fork::Assumed { facts, depth, opposite } => (facts, depth, opposite),
        };
        let mut other = other();
        *other.facts() = *facts;
        self.later.push(Later { path: other, depth, condition: opposite });
        Ok(true)
    }
}

/// Puts what is known by now into all that a path holds.
pub fn rewrite(domain: &mut Symbolic, path: &mut impl Follow) {
    let Symbolic { terms, facts, .. } = domain;
    let mut rewriter = Rewriter::default();
    let before = facts.clone();
    path.change(|term| rewriter.rewrite(terms, &before, term));
    facts.rewrite(terms, &mut rewriter);
}
