//! What must become of a packet, written from DESIGN.md, 3 to 5, as rules over terms: each looks at the frame and asks.
//!
//! A rule goes from one stage to the next. Behind a stage nothing of the frame is known but what the stage says.

pub mod call;
pub mod cell;
mod count;
pub mod effects;
mod ipv4;
mod ipv6;
pub mod link_layer;
pub mod lookup;
mod numbers;
mod outcome;
mod packet;
mod quote;
mod send;
mod server;
pub mod service;
mod slot;
pub mod stage;
pub mod upper;
mod walk;
pub mod world;

use self::{
    cell::{Cell, Slot},
    stage::{Stage, Verdict},
    world::{Halt, Ruled, World},
};
use crate::{domain::Stop, term::Term};

/// The rule about the function with this contract.
pub fn rule(name: &str) -> Option<&'static call::Rule> {
    std::iter::once(&walk::RULE).chain(&lookup::RULES).find(|rule| rule.name == name)
}

/// The next stage. [`Stop::Fork`]: what is known here does not tell which.
pub fn next(world: &mut World<'_>, stage: &Stage) -> Result<Stage, Stop<Term>> {
    let next = match stage {
        Stage::Frame => link_layer::frame(world),
        Stage::Network { family, place } => packet::packet(world, *family, *place),
        Stage::Quote { family, at, left, destination } => quote::flow(world, *family, (*at, *left), destination),
        Stage::Flow(flow) => service::service(world, flow),
        Stage::Service { flow, cell, formula } => slot::choose(world, flow, &Cell(*cell), *formula),
        Stage::Server { cell, slot, relative } => {
            server::decide(world, &Cell(*cell), &Slot(*slot), *relative).map(Stage::Decided)
        }
        Stage::Decided(_) => return Ok(stage.clone()),
    };
    match next {
        Ok(stage) => Ok(stage),
        Err(Halt::Stop(stop)) => Err(stop),
        Err(Halt::Outcome(outcome)) => match count::decided(world, outcome) {
            Ok(verdict) => Ok(Stage::Decided(verdict)),
            Err(Halt::Stop(stop)) => Err(stop),
            Err(Halt::Outcome(_)) => Err(Stop::Failed("counting an outcome has another outcome".into())),
        },
    }
}

/// The first stage from this one on of which `is_it` holds, or what becomes of the packet if it does not come there.
pub fn until(world: &mut World<'_>, stage: &Stage, is_it: impl Fn(&Stage) -> bool) -> Result<Stage, Stop<Term>> {
    let mut stage = stage.clone();
    while !is_it(&stage) && !matches!(stage, Stage::Decided(_)) {
        stage = next(world, &stage)?;
    }
    Ok(stage)
}

/// What becomes of the packet.
pub fn verdict(world: &mut World<'_>, stage: &Stage) -> Result<Verdict, Stop<Term>> {
    match until(world, stage, |_| false)? {
        Stage::Decided(verdict) => Ok(verdict),
        stage => Err(Stop::Failed(format!("{stage:?} is no end"))),
    }
}

/// What a rule says that no outcome can come of.
pub fn ask<T>(world: &mut World<'_>, rule: impl Fn(&mut World<'_>) -> Ruled<T>) -> Result<T, Stop<Term>> {
    rule(world).map_err(|halt| match halt {
        Halt::Stop(stop) => stop,
        Halt::Outcome(outcome) => Stop::Failed(format!("a question has the outcome {outcome:?}")),
    })
}
