//! For each slot of a service's lists, the first servers in its order: what the datapath of role `keep` looks up.
//!
//! Rankings are of the slots of the refined table, also while all servers are up: as (sum % (N·K)) % N = sum % N, a
//! slot's own server is the same.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

pub use lb_common::keep::{DEPTH, NONE};
use num_bigint::BigUint;

use crate::{
    config::{model::Service, standing::Standing},
    decide::slots::Order,
};

/// The first servers in the order of a slot, as indices into the universe, the rest [`NONE`].
///
/// The first is who owns it (in a previous list: who owned it then), or [`NONE`] if there is no such server or it is
/// not alive. The others that are alive follow in their order.
pub type Entry = [u16; DEPTH];

/// The rankings of a service: of its current list, then of its previous lists, the newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rankings {
    /// At least one.
    pub lists: Vec<Ranking>,
}

/// The ranking of each slot of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ranking {
    /// T of the refined table; 0: the list has no servers.
    pub slots: u32,
    /// One for each slot.
    pub entries: Vec<Entry>,
}

/// Ranks slot by slot, when asked to: for a single flow that is less work than [`Rankings`].
pub struct Ranker {
    lists: Vec<List>,
}

/// A list that slots are ranked by.
struct List {
    /// From the list to the universe.
    numbers: Vec<u16>,
    alive: Vec<bool>,
    owners: Order,
    living: Order,
}

impl Rankings {
    /// The rankings of a service.
    ///
    /// `universe` has all servers that any list names, those of the current list first and in its order. `alive` and
    /// `takes_flows` are of the universe: a server is alive if it takes flows or the operator took it down.
    pub fn of(service: &Service, universe: &[IpAddr], alive: &[bool], takes_flows: &[bool]) -> Self {
        let lists = Ranker::new(service, universe, alive, takes_flows).lists;
        Self { lists: lists.iter().map(List::ranking).collect() }
    }
}

impl Ranker {
    /// Takes the same as [`Rankings::of`].
    pub fn new(service: &Service, universe: &[IpAddr], alive: &[bool], takes_flows: &[bool]) -> Self {
        let numbers: HashMap<IpAddr, u16> = universe.iter().copied().zip(0..NONE).rev().collect();
        let find = |address: IpAddr| numbers.get(&address).copied().unwrap_or(NONE);
        let marked = |marks: &[bool], numbers: &[u16]| -> Vec<bool> {
            numbers.iter().map(|number| marks.get(usize::from(*number)).copied().unwrap_or(false)).collect()
        };
        let list = |numbers: Vec<u16>, owning: Vec<bool>, order: &dyn Fn(Vec<bool>) -> Order| {
            let alive = marked(alive, &numbers);
            List { owners: order(owning), living: order(alive.clone()), numbers, alive }
        };

        let servers: Vec<_> = service.listed().cloned().collect();
        let current: Vec<u16> = servers.iter().map(|server| find(server.address)).collect();
        let owning = marked(takes_flows, &current);
        let order = |taking_part| Order::new(&servers, service.selection, taking_part);
        let mut lists = vec![list(current, owning, &order)];
        for previous in &service.previous {
            let then = previous.iter().map(|server| find(server.address)).collect();
            let owning = previous.iter().map(|server| !server.idle).collect();
            let order = |taking_part| Order::new(previous, service.selection, taking_part);
            lists.push(list(then, owning, &order));
        }
        Self { lists }
    }

    /// The entry of each list for a flow, by its sum.
    pub fn entries(&self, sum: &BigUint) -> Vec<Entry> {
        let entry = |list: &List| match list.owners.len() {
            0 => [NONE; DEPTH],
            slots => list.entry((sum % slots).iter_u32_digits().next().unwrap_or_default()),
        };
        self.lists.iter().map(entry).collect()
    }
}

impl List {
    fn ranking(&self) -> Ranking {
        let slots = self.owners.len();
        Ranking { slots, entries: (0..slots).map(|slot| self.entry(slot)).collect() }
    }

    fn entry(&self, slot: u32) -> Entry {
        let number = |index: u16| self.numbers[usize::from(index)];
        let owner = self.owners.first(slot);
        let mut entry = [NONE; DEPTH];
        if let Some(owner) = owner.filter(|owner| self.alive[usize::from(*owner)]) {
            entry[0] = number(owner);
        }
        let mut first = [0; DEPTH];
        let others = self.living.fill(slot, &mut first).iter().filter(|index| Some(**index) != owner);
        entry[1..].iter_mut().zip(others).for_each(|(place, other)| *place = number(*other));
        entry
    }
}

/// All servers that any list of a service names, each once, those of the current list first and in its order.
pub fn universe(service: &Service) -> Vec<IpAddr> {
    let current = service.servers.iter().map(|server| server.address);
    let previous = service.previous.iter().flatten().map(|server| server.address);
    let mut seen = HashSet::new();
    current.chain(previous).filter(|address| seen.insert(*address)).collect()
}

/// Whether servers of this standing are alive: they take flows, or the operator took them down and they are draining.
/// Those that fail or cannot be reached are not.
pub const fn is_alive(standing: &Standing) -> bool {
    match standing {
        Standing::Up | Standing::Kept(_) | Standing::Down { .. } | Standing::Former => true,
        Standing::Failing(_) | Standing::Unresolved(_) => false,
    }
}
