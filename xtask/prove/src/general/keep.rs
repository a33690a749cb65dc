//! What is kept of a program's state where the specification goes to its next stage: what the stage says, with new
//! names, and what does not depend on the packet. Nothing else has a value behind it.

use std::collections::HashMap;

use crate::{
    contracts::WALK,
    specification::stage::{Flow, Stage},
    term::{Node, Term, Terms},
};

/// Terms by which others are replaced. Names of the packet's parts, and of rounds, are the only ones that must be.
#[derive(Debug, Default)]
pub struct Keeper {
    names: HashMap<Term, Term>,
    /// Sums without what is added to them, their names, and what was added to them there.
    sums: HashMap<Term, (Term, u64)>,
    done: HashMap<Term, Option<Term>>,
}

impl Keeper {
    /// Keeps what a stage says.
    pub fn new(terms: &mut Terms, stage: &Stage) -> Self {
        let mut keeper = Self::default();
        match stage {
            Stage::Flow(flow) => keeper.all(terms, &flow.bytes(), "flow"),
            Stage::Quote { at, left, destination, .. } => {
                keeper.name(terms, *at, "quote at");
                keeper.name(terms, *left, "quote left");
                keeper.all(terms, destination, "quote of");
            }
            Stage::Frame | Stage::Network { .. } | Stage::Decided(_) => {}
        }
        keeper
    }

    fn all(&mut self, terms: &mut Terms, bytes: &[Term], name: &str) {
        for (number, byte) in bytes.iter().enumerate() {
            self.name(terms, *byte, &format!("{name} {number}"));
        }
    }

    /// Gives a term a new name, part by part.
    pub fn name(&mut self, terms: &mut Terms, term: Term, name: &str) {
        for (number, part) in terms.parts(term).into_iter().enumerate() {
            if terms.known(part).is_some() || self.names.contains_key(&part) {
                continue;
            }
            let width = terms.width(part);
            let named = terms.unknown(&format!("{name}, part {number} of {width} bits"), width);
            self.names.insert(part, named);
            if matches!(terms.node(part), Node::Sum { .. }) {
                let (base, offset) = terms.split_address(part);
                self.sums.insert(base, (named, offset));
            }
        }
    }

    /// The program may hold all of what the walk over extension headers returned, of which the flow has some bits. The
    /// others are any bits.
    fn any_bits(terms: &mut Terms, walk: Term, low: u32, width: u32) -> Option<Term> {
        let Node::Function { name, .. } = terms.node(walk) else { return None };
        (&**name == WALK).then(|| terms.unknown(&format!("{width} bits from {low} of the walk"), width))
    }

    /// Of the new names the first that none of these terms has.
    pub fn missing(&self, terms: &Terms, of: &[Term]) -> Option<String> {
        let there = terms.below(of);
        let name = self.names.values().find(|name| !there.contains(name))?;
        if let Node::Unknown(name) = terms.node(*name) { Some(name.to_string()) } else { None }
    }

    /// The same stage in new names.
    pub fn stage(&mut self, terms: &mut Terms, stage: &Stage) -> Option<Stage> {
        match stage {
            Stage::Flow(flow) => self.flow(terms, flow).map(Stage::Flow),
            Stage::Quote { family, at, left, destination } => {
                let destination = destination.iter().map(|byte| self.keep(terms, *byte)).collect::<Option<_>>()?;
                let (at, left) = (self.keep(terms, *at)?, self.keep(terms, *left)?);
                Some(Stage::Quote { family: *family, at, left, destination })
            }
            Stage::Frame | Stage::Network { .. } | Stage::Decided(_) => Some(stage.clone()),
        }
    }

    fn flow(&mut self, terms: &mut Terms, flow: &Flow) -> Option<Flow> {
        let mut is_whole = true;
        let kept = flow.with(|byte| {
            let kept = self.keep(terms, byte);
            is_whole &= kept.is_some();
            kept.unwrap_or(byte)
        });
        is_whole.then_some(kept)
    }

    /// The same in new names; `None`: it depends on more of the packet than the stage says.
    pub fn keep(&mut self, terms: &mut Terms, term: Term) -> Option<Term> {
        if let Some(name) = self.names.get(&term) {
            return Some(*name);
        }
        if let Some(done) = self.done.get(&term) {
            return *done;
        }
        let kept = self.rebuild(terms, term);
        self.done.insert(term, kept);
        kept
    }

    fn rebuild(&mut self, terms: &mut Terms, term: Term) -> Option<Term> {
        match terms.node(term) {
            Node::Const(_) => return Some(term),
            // Numbers, lengths, the CPU: all but bytes of the packet.
            Node::Unknown(name) => return (!is_of_packet(name)).then_some(term),
            Node::Table { table, .. } => {
                let is_control = &**table == "CONTROL";
                return is_control.then_some(term);
            }
            Node::Function { .. } => return Self::any_bits(terms, term, 0, terms.width(term)),
            Node::Slice { of, low } if matches!(terms.node(*of), Node::Function { .. }) => {
                let (of, low, width) = (*of, *low, terms.width(term));
                return Self::any_bits(terms, of, low, width);
            }
            Node::Sum { .. } => {
                let (base, offset) = terms.split_address(term);
                if let Some((name, before)) = self.sums.get(&base) {
                    let width = terms.width(term);
                    return Some(terms.sum(&[(*name, 1)], offset.wrapping_sub(*before), width));
                }
            }
            _ => {}
        }
        let arguments = terms.arguments(term);
        let kept: Option<Vec<_>> = arguments.into_iter().map(|argument| self.keep(terms, argument)).collect();
        kept.map(|kept| terms.rebuild(term, &kept))
    }
}

/// What the names of a round's numbers start with.
pub const ROUND: &str = "round ";

fn is_of_packet(name: &str) -> bool {
    ["packet ", "flow ", "quote ", ROUND].iter().any(|start| name.starts_with(start))
}
