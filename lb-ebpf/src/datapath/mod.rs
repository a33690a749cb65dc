//! The roles, and the stages that they share.
//!
//! A packet goes through `parse` → `service` → `select` → `rewrite`. Each stage takes what the one before returns, so
//! none can be left out, and nothing is written to a packet before it is certain that it will be sent.
//!
//! Both object files include this module: the regular programs (`main.rs`) and the traced ones (`traced.rs`).

pub mod action;
mod answer;
pub mod balancer;
mod count;
pub mod keep;
mod lookup_key;
pub mod maps;
pub mod member;
mod network;
pub mod observer;
mod orient;
mod peers;
mod prefix;
mod probe;
mod rewrite;
mod select;
mod service;
mod socket;
pub mod steer;
