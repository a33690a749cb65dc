//! Builds a service's slot table and the table's digest. Pure.
//!
//! With all servers up, a `modulo` table is the formula itself: T = N, slot i names server i, and a server of weight w
//! has w consecutive slots. While servers are down, the table is refined to T = N·K slots: as (sum % (N·K)) % N = sum %
//! N, slot j still belongs to j % N, so flows of servers that are up do not move. Only the slots of servers that are
//! down are reassigned, by rendezvous (highest random weight) hashing (Thaler and Ravishankar, 1998): each slot ranks
//! the servers by a hash and goes to the first that is up. The result depends on the set of servers that are up, never
//! on history.
//!
//! A `resilient` table has a fixed prime number of slots, filled by Maglev's method (Eisenbud et al., NSDI 2016) from
//! all servers, up or down. The slots of servers that are down are reassigned in the same way.

use std::{fmt, net::IpAddr, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::config::model::{Selection, Server, Service};

use self::{
    entry::entries,
    fill::{maglev, modulo},
    rendezvous::Tickets,
};

mod entry;
mod fill;
mod highest;
mod order;
mod refinement;
mod rendezvous;

pub use self::{
    entry::Entry,
    order::Order,
    refinement::{Extent, Refinement},
};

#[cfg(test)]
mod tests;

/// The server that each slot names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotTable {
    slots: Vec<Option<u16>>,
}

/// A digest of T and of the server that each slot names. Two balancers compare it to see that they agree.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Digest(
    /// The first eight bytes of the SHA-256.
    pub u64,
);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The text is not a [`Digest`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a digest; use the 16 hexadecimal digits that `modlb status` shows")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseDigestError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ParseDigestError)
    }
}

impl Digest {
    /// The digest of everything that was hashed.
    pub(crate) fn of(hash: Sha256) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl SlotTable {
    /// The table of a service, where there is room for the usual refinement.
    pub fn build(service: &Service) -> Self {
        Self::refined(service, Refinement::default())
    }

    /// The table of a service.
    pub fn refined(service: &Service, refinement: Refinement) -> Self {
        let servers = entries(&service.servers);
        let takes_flows = service.takes_flows();
        let base = match service.selection {
            Selection::Modulo => {
                let up = takes_flows.iter().filter(|takes| **takes).count();
                modulo(&servers, refinement.times(service.n(), up, service.listed().count()))
            }
            Selection::Resilient { slots } => maglev(&servers, slots),
        };
        let tickets = Tickets::of(&servers, &takes_flows);
        if tickets.is_empty() {
            return Self { slots: vec![None; base.len()] };
        }
        let mut slots: Vec<_> = base.into_iter().map(Some).collect();
        tickets.deal(&mut slots, |server| !takes_flows[usize::from(server)]);
        Self { slots }
    }

    /// T, the number of slots.
    pub fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether there are no slots, which is so without servers.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The index of the server that a slot names, in the order of the configuration.
    pub fn get(&self, slot: u32) -> Option<u16> {
        self.slots.get(slot as usize).copied().flatten()
    }

    /// The server that each slot names.
    pub fn iter(&self) -> impl Iterator<Item = Option<u16>> + '_ {
        self.slots.iter().copied()
    }

    /// Whether no server is up.
    pub fn all_down(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// The table's digest; `service` is the one that it was built for.
    pub fn digest(&self, service: &Service) -> Digest {
        let mut hash = Sha256::new();
        hash.update(self.len().to_be_bytes());
        for slot in &self.slots {
            match slot.map(|server| identity(&service.servers[usize::from(server)])) {
                None => hash.update([0]),
                Some(IpAddr::V4(address)) => {
                    hash.update([4]);
                    hash.update(address.octets());
                }
                Some(IpAddr::V6(address)) => {
                    hash.update([6]);
                    hash.update(address.octets());
                }
            }
        }
        Digest::of(hash)
    }
}

/// The part of a server that a digest covers: its address. Weight, state and health show in the slots. MAC and VLAN may
/// differ between hosts that agree.
const fn identity(server: &Server) -> IpAddr {
    let Server { address, mac: _, vlan: _, weight: _, state: _, health: _ } = server;
    *address
}
