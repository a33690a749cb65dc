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

use lb_common::limits::{MAX_SLOTS_PER_SERVICE, REFINED_SLOTS};
use sha2::{Digest as _, Sha256};

use crate::config::model::{Selection, Server, Service};

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
    /// The table of a service.
    pub fn build(service: &Service) -> Self {
        let servers = &service.servers;
        let takes_flows = service.takes_flows();
        let base = match service.selection {
            Selection::Modulo => modulo(servers, &takes_flows),
            Selection::Resilient { slots } => maglev(servers, slots),
        };
        let tickets = tickets(servers, &takes_flows);
        if tickets.is_empty() {
            return Self { slots: vec![None; base.len()] };
        }
        let slots = (0..).zip(base).map(|(slot, server)| match takes_flows[usize::from(server)] {
            true => Some(server),
            false => draw(&tickets, slot),
        });
        Self { slots: slots.collect() }
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

/// The server of each slot, before reassignment. If some servers are down, N slots are repeated to spread theirs
/// evenly.
fn modulo(servers: &[Server], takes_flows: &[bool]) -> Vec<u16> {
    let copies: Vec<u16> = (0..=u16::MAX).zip(servers).flat_map(|(index, server)| copies(index, server)).collect();
    let n = copies.len() as u32;
    let up = takes_flows.iter().filter(|takes| **takes).count();
    let times = match n {
        0 => 0,
        n if up > 0 && up < servers.len() => REFINED_SLOTS.div_ceil(n).min(MAX_SLOTS_PER_SERVICE / n).max(1),
        _ => 1,
    };
    copies.repeat(times as usize)
}

fn copies(index: u16, server: &Server) -> impl Iterator<Item = u16> + use<> {
    std::iter::repeat_n(index, server.weight as usize)
}

/// Maglev's population: each server has its own permutation of the slots and, on its turn, takes the next free one.
/// Servers take turns by weight, in an order that does not depend on that of the configuration.
fn maglev(servers: &[Server], slots: u32) -> Vec<u16> {
    let most = servers.iter().map(|server| server.weight).max().unwrap_or(1);
    let mut walkers: Vec<_> =
        (0..=u16::MAX).zip(servers).map(|(index, server)| Walker::new(index, server, slots)).collect();
    walkers.sort_unstable_by_key(|walker| walker.address);
    let mut table = vec![None; slots as usize];
    let mut free = if walkers.is_empty() { 0 } else { slots };
    while free > 0 {
        for walker in &mut walkers {
            walker.credit += walker.weight;
            if walker.credit >= most && free > 0 {
                walker.credit -= most;
                walker.take(&mut table);
                free -= 1;
            }
        }
    }
    table.into_iter().flatten().collect()
}

/// A server that looks for free slots.
struct Walker {
    index: u16,
    address: IpAddr,
    weight: u32,
    credit: u32,
    slot: u64,
    skip: u64,
}

impl Walker {
    fn new(index: u16, server: &Server, slots: u32) -> Self {
        let hash = hash_address(server.address);
        let slots = u64::from(slots);
        // The number of slots is prime, so any step visits every slot.
        let (slot, skip) = (mix(hash) % slots, mix(hash ^ SKIP) % (slots - 1) + 1);
        Self { index, address: server.address, weight: server.weight, credit: 0, slot, skip }
    }

    /// Takes the next free slot, of which there is one.
    fn take(&mut self, table: &mut [Option<u16>]) {
        let slots = table.len() as u64;
        while table[self.slot as usize].is_some() {
            self.slot = (self.slot + self.skip) % slots;
        }
        table[self.slot as usize] = Some(self.index);
    }
}

/// A lottery ticket of a server that is up. It has as many as its weight.
struct Ticket {
    number: u64,
    server: u16,
}

fn tickets(servers: &[Server], takes_flows: &[bool]) -> Vec<Ticket> {
    let up = (0..=u16::MAX).zip(servers).zip(takes_flows).filter(|(_, takes)| **takes);
    up.flat_map(|((index, server), _)| {
        let hash = hash_address(server.address);
        (0..u64::from(server.weight))
            .map(move |copy| Ticket { number: mix(hash.wrapping_add(copy.wrapping_mul(GOLDEN))), server: index })
    })
    .collect()
}

/// The server whose ticket has the highest hash with the slot.
///
/// As [`mix`] is a bijection, only tickets with the same number have the same hash. The loop is kept simple for speed:
/// a table of 65,536 slots with half of the servers down takes 2^30 rounds.
fn draw(tickets: &[Ticket], slot: u64) -> Option<u16> {
    let slot = mix(slot.wrapping_mul(GOLDEN).wrapping_add(GOLDEN));
    let (mut highest, mut winner) = (0, None);
    for ticket in tickets {
        let hash = mix(slot ^ ticket.number);
        if hash >= highest {
            (highest, winner) = (hash, Some(ticket.server));
        }
    }
    winner
}

/// 2^64 divided by the golden ratio, odd: SplitMix64's increment (Steele, Lea and Flood, OOPSLA 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// An arbitrary number, which makes a second hash of the first.
const SKIP: u64 = 0x5bd1_e995_7b7d_159c;

/// SplitMix64's finalizer, a bijection in which every input bit affects every output bit.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

fn hash_address(address: IpAddr) -> u64 {
    let (family, bits) = match address {
        IpAddr::V4(v4) => (4, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (6, v6.to_bits()),
    };
    mix(mix((bits >> 64) as u64 ^ GOLDEN.wrapping_mul(family)) ^ bits as u64)
}
