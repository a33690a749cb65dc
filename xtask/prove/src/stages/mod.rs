//! The theorem about the specification: both paths of a program do with every packet what it says.
//!
//! Proven stage by stage: where the specification comes to a stage, what is known besides is given up, so that
//! beginnings need not be combined with every end.

mod body;
mod entry;
mod keep;
mod live;
mod plain;
mod prover;
mod report;
mod walk;

pub use self::{
    entry::Entry,
    keep::{Keeper, ROUND},
    live::Live,
    report::{fault, json, prove, text},
};
