//! Which file imports which, read from the sources.

mod graph;
mod modules;
mod source;
mod sources;
mod targets;

pub use self::{
    graph::{Import, Target, targets},
    modules::normal,
    sources::Sources,
};
