//! Which server a sum leads to: section 3 of the design again, with the hashes of docs/decisions.

use std::net::IpAddr;

use lb_userspace::config::model::{Selection, Server, Service, State};
use num_bigint::BigUint;

/// A service's table.
pub struct Table {
    /// The server that each slot belongs to, whether it is up or not.
    homes: Vec<usize>,
    slots: Vec<Option<usize>>,
}

impl Table {
    pub fn new(service: &Service) -> Self {
        let mut copies: Vec<usize> = Vec::new();
        for (index, server) in service.servers.iter().enumerate() {
            copies.resize(copies.len() + server.weight as usize, index);
        }
        let up = service.servers.iter().filter(|server| server.state == State::Up).count();
        let homes = match service.selection {
            Selection::Resilient { slots } if !copies.is_empty() => maglev(&service.servers, slots as usize),
            Selection::Resilient { .. } => Vec::new(),
            Selection::Modulo if up == service.servers.len() || up == 0 => copies,
            Selection::Modulo => {
                let times = 4_096_usize.div_ceil(copies.len()).min(65_536 / copies.len()).max(1);
                (0..times * copies.len()).map(|slot| copies[slot % copies.len()]).collect()
            }
        };
        let slots = homes.iter().enumerate().map(|(slot, home)| match service.servers[*home].state {
            State::Up => Some(*home),
            State::Down => dealt(&service.servers, slot as u128),
        });
        Self { slots: slots.collect(), homes }
    }

    /// The servers that follow the owner in the ranking of a sum, up or down: the slot's own first, then the others.
    pub fn ranked(&self, servers: &[Server], sum: &BigUint, owner: usize) -> Vec<usize> {
        let slot = usize::try_from(sum % BigUint::from(self.slots.len())).unwrap();
        let hash = mix((slot as u128 + 1) * GOLDEN % TWO_64);
        let best = |index: usize| {
            (0..u128::from(servers[index].weight)).map(move |copy| mix(hash ^ ticket(servers, index, copy)))
        };
        let mut ranked: Vec<_> = (0..servers.len()).filter(|index| *index != owner).collect();
        ranked.sort_by_key(|index| (*index != self.homes[slot], std::cmp::Reverse(best(*index).max())));
        ranked
    }

    /// The index of the server that a sum leads to.
    pub fn owner(&self, sum: &BigUint) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = sum % BigUint::from(self.slots.len());
        self.slots[usize::try_from(slot).unwrap()]
    }
}

const TWO_64: u128 = 1 << 64;
const GOLDEN: u128 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finalizer, computed in wider numbers.
fn mix(x: u128) -> u128 {
    let x = ((x ^ (x / (1 << 30))) * 0xbf58_476d_1ce4_e5b9) % TWO_64;
    let x = ((x ^ (x / (1 << 27))) * 0x94d0_49bb_1331_11eb) % TWO_64;
    x ^ (x / (1 << 31))
}

fn hash(address: IpAddr) -> u128 {
    let (family, bits) = match address {
        IpAddr::V4(address) => (4, u128::from(u32::from_be_bytes(address.octets()))),
        IpAddr::V6(address) => (6, u128::from_be_bytes(address.octets())),
    };
    let high = mix((bits / TWO_64) ^ (GOLDEN * family % TWO_64));
    mix(high ^ (bits % TWO_64))
}

/// One of a server's tickets.
fn ticket(servers: &[Server], index: usize, copy: u128) -> u128 {
    mix((hash(servers[index].address) + copy * GOLDEN) % TWO_64)
}

/// The server that is up and has the best of all tickets.
fn dealt(servers: &[Server], slot: u128) -> Option<usize> {
    let slot = mix((slot + 1) * GOLDEN % TWO_64);
    let mut best = None;
    for (index, server) in servers.iter().enumerate().filter(|(_, server)| server.state == State::Up) {
        for copy in 0..u128::from(server.weight) {
            let ticket = ticket(servers, index, copy);
            best = best.max(Some((mix(slot ^ ticket), ticket, index)));
        }
    }
    best.map(|(_, _, index)| index)
}

fn maglev(servers: &[Server], slots: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..servers.len()).collect();
    order.sort_by_key(|index| servers[*index].address);
    let heaviest = servers.iter().map(|server| server.weight).max().unwrap();
    let permutation = |index: usize| -> (usize, usize) {
        let hash = hash(servers[index].address);
        ((mix(hash) % slots as u128) as usize, (mix(hash ^ 0x5bd1_e995_7b7d_159c) % (slots as u128 - 1)) as usize + 1)
    };
    let permutations: Vec<_> = (0..servers.len()).map(permutation).collect();
    let mut next = vec![0; servers.len()];
    let mut credit = vec![0; servers.len()];
    let mut table = vec![usize::MAX; slots];
    let mut filled = 0;
    while filled < slots {
        for index in &order {
            credit[*index] += servers[*index].weight;
            if credit[*index] < heaviest || filled == slots {
                continue;
            }
            credit[*index] -= heaviest;
            let (offset, skip) = permutations[*index];
            loop {
                let slot = (offset + next[*index] * skip) % slots;
                if table[slot] == usize::MAX {
                    table[slot] = *index;
                    break;
                }
                next[*index] += 1;
            }
            filled += 1;
        }
    }
    table
}
