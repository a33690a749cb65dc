//! What is configured ↔ the records that user space keeps of it: pure, both ways in one place.
//!
//! Encoders take configurations apart and decoders put them together field by field: a new key does not compile before
//! both know it.

mod bytes;
mod check;
mod group;
mod numbers;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub(in crate::datapath) use group::{group, group_record};
pub(in crate::datapath) use numbers::{role, role_number};
pub(in crate::datapath) use server::{server_record, vlan_number};
pub(in crate::datapath) use service::{service, service_record};
