//! What modlb's datapath and its user space share: the formula, the keys, the values in maps.
//!
//! `no_std`, no dependencies, no `unsafe`: the same code runs in the kernel and on the host, where its tests run.

#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
pub mod control;
pub mod flow;
pub mod formula;
pub mod keep;
pub mod key;
pub mod limits;
pub mod mac;
pub mod outcome;
pub mod prefixes;
pub mod record;
pub mod ring;
pub mod table;
pub mod trace;
