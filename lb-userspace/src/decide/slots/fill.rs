//! Which server each slot belongs to while all servers are up.

use std::net::IpAddr;

use lb_common::ring::mix;

use super::{entry::Entry, rendezvous::hash_address};

/// The server of each slot, before reassignment. If some servers are down, N slots are repeated to spread theirs
/// evenly.
pub(super) fn modulo(servers: &[Entry], times: u32) -> Vec<u16> {
    let copies: Vec<u16> = (0..=u16::MAX).zip(servers).flat_map(|(index, server)| copies(index, server)).collect();
    copies.repeat(times as usize)
}

fn copies(index: u16, server: &Entry) -> impl Iterator<Item = u16> + use<> {
    std::iter::repeat_n(index, server.weight as usize)
}

/// Maglev's population: each server has its own permutation of the slots and, on its turn, takes the next free one.
/// Servers take turns by weight, in an order that does not depend on that of the configuration.
pub(super) fn maglev(servers: &[Entry], slots: u32) -> Vec<u16> {
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
    fn new(index: u16, server: &Entry, slots: u32) -> Self {
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

/// An arbitrary number, which makes a second hash of the first.
const SKIP: u64 = 0x5bd1_e995_7b7d_159c;
