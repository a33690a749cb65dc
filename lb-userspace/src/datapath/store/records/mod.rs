//! Configuration ↔ the records that user space keeps in maps. Pure.
//!
//! Encoders and decoders name every field, so a new key does not compile before both handle it.

mod bytes;
mod check;
mod group;
mod numbers;
mod peers;
mod previous;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub(in crate::datapath) use bytes::{address, text};
pub(in crate::datapath) use group::{group, group_record};
pub(in crate::datapath) use numbers::{direction, formula, fragments, kind, missing, role, role_number};
pub(in crate::datapath) use peers::{peer_records, peers};
pub(in crate::datapath) use previous::previous_records;
pub(in crate::datapath) use server::{server_record, vlan_number};
pub(in crate::datapath) use service::{service, service_record};
