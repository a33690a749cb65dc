//! The digest by which two balancers see that they agree on every packet. Pure.
//!
//! It covers everything that decides to which server address a packet goes, and nothing else: each service's
//! destination, formula, handling of fragments, direction, and slot table, which depends on weights, states and the
//! servers' order; and its previous lists, by which servers in role `keep` hand packets on. Names, the order of
//! services, interfaces, MACs and peers are left out: balancers on different segments may see a server at different
//! MACs, and each may list the others as its peers. Trap: a new key that decides must be added here; so [`encode`]
//! names every field.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::slots::{Digest, SlotTable};
use crate::config::model::{Config, Direction, Formula, Fragments, PreviousServer, Service};

#[cfg(test)]
mod tests;

/// The digest of a configuration, given the digest of each service's slot table.
pub fn digest(config: &Config, tables: impl IntoIterator<Item = Digest>) -> Digest {
    let mut services: Vec<_> =
        config.services.iter().zip(tables).map(|(service, table)| encode(service, table)).collect();
    // The order of services does not decide.
    services.sort_unstable();
    let mut hash = Sha256::new();
    for service in services {
        hash.update(service);
    }
    Digest::of(hash)
}

/// The same, building the tables.
pub fn digest_of(config: &Config) -> Digest {
    let tables = config.services.iter().map(|service| SlotTable::build(service).digest(service));
    digest(config, tables.collect::<Vec<_>>())
}

/// Bytes in a service's encoding.
const ENCODED: usize = 33;

/// Family, address, prefix length, protocol, port, formula, fragments, direction, table with previous lists. All
/// encodings have the same length, so that different lists of services never give the same bytes.
fn encode(service: &Service, table: Digest) -> [u8; ENCODED] {
    // The table covers selection and servers. Where a host has its sockets decides nothing for others.
    let Service {
        name: _,
        address,
        protocol,
        port,
        formula,
        selection: _,
        fragments,
        direction,
        sockets: _,
        check: _,
        servers: _,
        previous,
    } = service;
    let mut bytes = [0; ENCODED];
    match address.addr() {
        IpAddr::V4(v4) => {
            bytes[0] = 4;
            bytes[1..5].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            bytes[0] = 6;
            bytes[1..17].copy_from_slice(&v6.octets());
        }
    }
    bytes[17] = address.prefix_len();
    // The first byte tells protocol 0 from any protocol.
    bytes[18] = u8::from(protocol.is_some());
    bytes[19] = protocol.unwrap_or_default();
    bytes[20..22].copy_from_slice(&port.unwrap_or_default().to_be_bytes());
    bytes[22] = match formula {
        Formula::ThreeTuple => 3,
        Formula::FiveTuple => 5,
    };
    // A service without port always balances fragments.
    bytes[23] = u8::from(port.is_none() || *fragments == Fragments::Balance);
    bytes[24] = match direction {
        Direction::Forward => 0,
        Direction::Reply => 1,
        Direction::Both => 2,
    };
    bytes[25..].copy_from_slice(&with_previous(table, previous).0.to_be_bytes());
    bytes
}

/// The digest of a table and the lists before it. Without them it is the table's, as in earlier versions.
fn with_previous(table: Digest, lists: &[Vec<PreviousServer>]) -> Digest {
    if lists.is_empty() {
        return table;
    }
    let mut hash = Sha256::new();
    hash.update(table.0.to_be_bytes());
    for list in lists {
        hash.update((list.len() as u64).to_be_bytes());
        for server in list {
            let PreviousServer { address, mac: _, weight, idle } = *server;
            match address {
                IpAddr::V4(address) => {
                    hash.update([4]);
                    hash.update(address.octets());
                }
                IpAddr::V6(address) => {
                    hash.update([6]);
                    hash.update(address.octets());
                }
            }
            hash.update(weight.to_be_bytes());
            hash.update([u8::from(idle)]);
        }
    }
    Digest::of(hash)
}
