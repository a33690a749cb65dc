//! The theorem about the general path: it does with every packet what the specification says.

mod body;
mod keep;
mod live;
mod prover;
mod report;

pub use self::{
    keep::{Keeper, ROUND},
    live::{Live, Slot},
    report::{Report, json, print, prove},
};
