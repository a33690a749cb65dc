//! What must become of a packet, written from DESIGN.md, 3 to 5, as rules over terms: each looks at the frame and asks.
//!
//! A rule goes from one stage to the next. Behind a stage nothing of the frame is known but what the stage says.

pub mod call;
mod count;
mod ipv4;
mod ipv6;
pub mod link_layer;
pub mod lookup;
mod numbers;
mod outcome;
mod packet;
mod quote;
pub mod stage;
pub mod upper;
mod walk;
pub mod world;

use self::{
    stage::Stage,
    world::{Halt, World},
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
        Stage::Flow(_) | Stage::Decided(_) => return Ok(stage.clone()),
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
