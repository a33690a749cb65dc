//! The same by plain means: unbounded rankings, full sorts, big integers. It shares no code with what it judges.

use std::{collections::BTreeMap, net::IpAddr};

use num_bigint::BigUint;

/// A list with its weights and its servers that took no flows.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub servers: Vec<(IpAddr, u32)>,
    pub idle: Vec<IpAddr>,
}

/// How a server is now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Now {
    Up,
    Down,
    Dead,
}

/// What a host knows.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// T of resilient tables; `None`: modulo.
    pub slots: Option<u32>,
    /// The current one first.
    pub lists: Vec<List>,
    /// Those that are not up.
    pub states: BTreeMap<IpAddr, Now>,
}

/// How many servers may hold a connection, and how often a frame is handed on.
const MOST: usize = 12;
const LIMIT: usize = 18;

fn word(number: BigUint) -> BigUint {
    number % (BigUint::from(1_u8) << 64)
}

fn mix(number: &BigUint) -> BigUint {
    let fold = |number: BigUint, bits: usize| &number ^ (&number >> bits);
    let number = word(fold(number.clone(), 30) * 0xbf58_476d_1ce4_e5b9_u64);
    fold(word(fold(number, 27) * 0x94d0_49bb_1331_11eb_u64), 31)
}

fn golden(times: u64) -> BigUint {
    word(BigUint::from(times) * 0x9e37_79b9_7f4a_7c15_u64)
}

fn address_hash(address: IpAddr) -> BigUint {
    let (family, bits) = match address {
        IpAddr::V4(address) => (4, BigUint::from(address.to_bits())),
        IpAddr::V6(address) => (6, BigUint::from(address.to_bits())),
    };
    mix(&(mix(&((&bits >> 64) ^ golden(family))) ^ word(bits)))
}

/// Who owns each slot while all are up.
fn table(list: &List, slots: Option<u32>) -> Vec<IpAddr> {
    let n: usize = list.servers.iter().map(|(_, weight)| *weight as usize).sum();
    if n == 0 {
        return Vec::new();
    }
    let Some(slots) = slots.map(|slots| slots as usize) else {
        let mut copies = Vec::new();
        list.servers.iter().for_each(|(address, weight)| (0..*weight).for_each(|_| copies.push(*address)));
        let times = 4_096_usize.div_ceil(n).max(1);
        return (0..n * times).map(|slot| copies[slot % n]).collect();
    };
    let most = list.servers.iter().map(|(_, weight)| *weight).max().unwrap();
    let mut turns: Vec<(IpAddr, u32, u32, Vec<usize>)> = list
        .servers
        .iter()
        .map(|(address, weight)| {
            let hash = address_hash(*address);
            let number = |hash: BigUint, of: usize| (mix(&hash) % of).iter_u64_digits().next().unwrap_or(0) as usize;
            let start = number(hash.clone(), slots);
            let skip = number(hash ^ BigUint::from(0x5bd1_e995_7b7d_159c_u64), slots - 1) + 1;
            let mut permutation: Vec<_> = (0..slots).map(|turn| (start + turn * skip) % slots).collect();
            permutation.reverse();
            (*address, *weight, 0, permutation)
        })
        .collect();
    turns.sort_by_key(|(address, ..)| *address);
    let mut table = BTreeMap::new();
    while table.len() < slots {
        for (address, weight, credit, permutation) in &mut turns {
            *credit += *weight;
            if *credit >= most && table.len() < slots {
                *credit -= most;
                let free = std::iter::from_fn(|| permutation.pop()).find(|slot| !table.contains_key(slot));
                table.insert(free.unwrap(), *address);
            }
        }
    }
    table.into_values().collect()
}

/// A list with what each ranking needs.
#[derive(Debug)]
struct Prepared {
    table: Vec<IpAddr>,
    /// The tickets of each server.
    tickets: Vec<(IpAddr, Vec<BigUint>)>,
    idle: Vec<IpAddr>,
}

impl Prepared {
    fn of(list: &List, slots: Option<u32>) -> Self {
        let ticket = |address: IpAddr, copy: u32| mix(&word(address_hash(address) + golden(copy.into())));
        let tickets = list
            .servers
            .iter()
            .map(|(address, weight)| (*address, (0..*weight).map(|copy| ticket(*address, copy)).collect()));
        Self { table: table(list, slots), tickets: tickets.collect(), idle: list.idle.clone() }
    }

    /// All servers in the order of a slot.
    fn ranking(&self, sum: &BigUint) -> Vec<IpAddr> {
        if self.table.is_empty() {
            return Vec::new();
        }
        let slot = (sum % self.table.len()).iter_u64_digits().next().unwrap_or(0);
        let own = self.table[slot as usize];
        let slot_hash = mix(&word(golden(slot) + golden(1)));
        let mut others: Vec<_> = self.tickets.iter().filter(|(address, _)| *address != own).collect();
        others.sort_by_cached_key(|(_, tickets)| tickets.iter().map(|ticket| mix(&(&slot_hash ^ ticket))).max());
        [own].into_iter().chain(others.iter().rev().map(|(address, _)| *address)).collect()
    }
}

/// What is true of a file.
#[derive(Debug)]
pub(super) struct Oracle {
    lists: Vec<Prepared>,
    states: BTreeMap<IpAddr, Now>,
}

impl Oracle {
    pub(super) fn of(file: &File) -> Self {
        let lists = file.lists.iter().map(|list| Prepared::of(list, file.slots)).collect();
        Self { lists, states: file.states.clone() }
    }

    fn now(&self, server: IpAddr) -> Now {
        self.states.get(&server).copied().unwrap_or(Now::Up)
    }

    /// Where balancers with this file send the flow.
    pub(super) fn owner(&self, sum: &BigUint) -> Option<IpAddr> {
        self.lists[0].ranking(sum).into_iter().find(|server| self.now(*server) == Now::Up)
    }

    /// Who may hold a connection of the flow.
    pub(super) fn holders(&self, sum: &BigUint) -> Vec<IpAddr> {
        let mut found: Vec<_> = self.owner(sum).into_iter().collect();
        let mut add = |some: &[IpAddr], number: usize| {
            let new = some.iter().copied();
            let new: Vec<_> =
                new.filter(|server| self.now(*server) != Now::Dead && !found.contains(server)).take(number).collect();
            found.extend(new);
        };
        let rankings: Vec<_> = self.lists.iter().map(|list| list.ranking(sum)).collect();
        let then = || rankings.iter().zip(&self.lists).skip(1);
        add(&rankings[0], 1);
        for (ranking, list) in then() {
            let owner = ranking.iter().copied().find(|server| !list.idle.contains(server));
            add(owner.as_slice(), 1);
        }
        add(&rankings[0], 2);
        then().for_each(|(ranking, _)| add(ranking, 1));
        found.truncate(MOST);
        found
    }
}

/// The place of a server in the ring of a flow.
pub(super) fn place(flow: u64, server: IpAddr) -> BigUint {
    let bits = match server {
        IpAddr::V4(address) => BigUint::from(address.to_bits()),
        IpAddr::V6(address) => BigUint::from(address.to_bits()),
    };
    let hash = mix(&(mix(&(&bits >> 64)) ^ word(bits))) >> 32;
    mix(&(BigUint::from(flow) ^ (hash << 32)))
}

/// Who a host hands a packet to that it does not hold; `None`: nobody, it is taken here.
pub(super) fn next(flow: u64, holders: &[IpAddr], host: IpAddr, hand_ons: usize) -> Option<IpAddr> {
    let mut ring: Vec<IpAddr> = holders.iter().copied().filter(|holder| *holder != host).collect();
    ring.push(host);
    ring.sort_by_key(|server| (place(flow, *server), *server));
    let at = ring.iter().position(|server| *server == host).unwrap();
    let more = ring.len() > 1 && hand_ons < 3 * ring.len() / 2 && hand_ons != LIMIT;
    more.then(|| ring[(at + 1) % ring.len()])
}
