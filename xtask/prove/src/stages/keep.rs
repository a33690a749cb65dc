//! What is kept of a program's state where the specification goes to its next stage: what the stage says, with new
//! names, and what does not depend on the packet. Nothing else has a value behind it.

use std::collections::HashMap;

use crate::{
    contracts::WALK,
    specification::{
        cell::Cell,
        stage::{Flow, Stage},
    },
    symbolic::Symbolic,
    term::{Node, Term, Terms},
};

/// Terms by which others are replaced. Names of the packet's parts, and of rounds, are the only ones that must be.
#[derive(Debug, Default)]
pub struct Keeper {
    /// Bytes of the packet are kept, since they are read again.
    keeps_packet: bool,
    /// So are those of cells.
    keeps_cells: bool,
    names: HashMap<Term, Term>,
    /// Sums without what is added to them, their names, and what was added to them there.
    sums: HashMap<Term, (Term, u64)>,
    done: HashMap<Term, Option<Term>>,
    /// Results of walks that were met.
    walks: Vec<Term>,
    stage: &'static str,
}

impl Keeper {
    /// Keeps what a stage says.
    pub fn new(domain: &mut Symbolic, stage: &Stage, keeps_packet: bool) -> Self {
        let keeps_cells = matches!(stage, Stage::Server { .. });
        let mut keeper = Self { keeps_packet, keeps_cells, stage: stage.name(), ..Self::default() };
        if matches!(stage, Stage::Service { .. } | Stage::Server { .. }) {
            // What is known of the control word is put into what the program holds of it; it is any word again.
            let (known, any) = (domain.control(), domain.any_control());
            keeper.names.insert(known, any);
        }
        let terms = &mut domain.terms;
        match stage {
            Stage::Flow(flow) => keeper.all(terms, &flow.bytes(), "flow"),
            Stage::Service { flow, cell, .. } => {
                if !keeps_packet {
                    keeper.all(terms, &flow.bytes(), "flow");
                }
                keeper.name(terms, *cell, "cell");
            }
            Stage::Quote { at, left, destination, .. } => {
                keeper.name(terms, *at, "quote at");
                keeper.name(terms, *left, "quote left");
                keeper.all(terms, destination, "quote of");
            }
            Stage::Server { cell, slot, relative } => {
                keeper.name(terms, *cell, "cell");
                // The same with the flags.
                if let Some(named) = keeper.keep(terms, *cell) {
                    let (known, any) = (Cell(*cell).flags(domain), Cell(named).any_flags(domain));
                    keeper.names.insert(known, any);
                }
                let terms = &mut domain.terms;
                keeper.name(terms, *slot, "slot");
                keeper.name(terms, *relative, "relative");
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

    /// The program may hold all of what a walk over extension headers returned, of which the flow has some bits. The
    /// others are any bits: their name says of which walk, of those before this stage.
    fn any_bits(&mut self, terms: &mut Terms, walk: Term, low: u32, width: u32) -> Option<Term> {
        let Node::Function { name, .. } = terms.node(walk) else { return None };
        if &**name != WALK {
            return None;
        }
        let number = self.walks.iter().position(|known| *known == walk).unwrap_or_else(|| {
            self.walks.push(walk);
            self.walks.len() - 1
        });
        Some(terms.unknown(&format!("{width} bits from {low} of walk {number} before the {}", self.stage), width))
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
            Stage::Service { flow, cell, formula } => {
                let (flow, cell) = (self.flow(terms, flow)?, self.keep(terms, *cell)?);
                Some(Stage::Service { flow, cell, formula: *formula })
            }
            Stage::Quote { family, at, left, destination } => {
                let destination = destination.iter().map(|byte| self.keep(terms, *byte)).collect::<Option<_>>()?;
                let (at, left) = (self.keep(terms, *at)?, self.keep(terms, *left)?);
                Some(Stage::Quote { family: *family, at, left, destination })
            }
            Stage::Server { cell, slot, relative } => {
                let [cell, slot, relative] = [cell, slot, relative].map(|term| self.keep(terms, *term));
                Some(Stage::Server { cell: cell?, slot: slot?, relative: relative? })
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
            Node::Unknown(name) => return (self.keeps_packet || !is_of_packet(name)).then_some(term),
            Node::Table { table, .. } if &**table == "CONTROL" => return Some(term),
            Node::Table { table, .. } if self.keeps_cells && &**table == "CELLS" => {}
            Node::Table { .. } => return None,
            Node::Function { .. } => return self.any_bits(terms, term, 0, terms.width(term)),
            Node::Slice { of, low } if matches!(terms.node(*of), Node::Function { .. }) => {
                let (of, low, width) = (*of, *low, terms.width(term));
                return self.any_bits(terms, of, low, width);
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
