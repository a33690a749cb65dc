//! How many slots a configuration needs, now and after the worst single failure: one server down in every service that
//! has it, on top of what is down already.
//!
//! It goes by the configuration alone: equal tables are counted once, as they are stored once. Tables are compared by a
//! sum of hashes, one for each server, so that the table without a server is found without going through the others.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

use super::slots::{Extent, Refinement};
use crate::config::model::{Config, Server, ServerMac, Service, State};

/// The slots that a configuration needs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Demand {
    /// As it is.
    pub now: Slots,
    /// After the worst single failure; `None`: no server takes flows.
    pub worst: Option<Failure>,
}

/// A number of slots.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Slots {
    /// With the usual refinement.
    pub usual: u64,
    /// With the coarsest tables, below which nothing fits.
    pub least: u64,
}

/// A server that goes down in every service that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The server.
    pub server: IpAddr,
    /// How many services it takes flows of.
    pub services: usize,
    /// The slots that are needed without it.
    pub slots: Slots,
}

impl Demand {
    /// The most slots that are needed, now or after the failure.
    pub fn most(&self) -> u64 {
        self.now.usual.max(self.worst.map_or(0, |worst| worst.slots.usual))
    }

    /// What to know if there is room for `capacity` slots only; `None`: every single failure fits.
    pub fn warning(&self, capacity: u32) -> Option<String> {
        let Failure { server, services, slots: Slots { usual, least } } = self.worst?;
        let services = crate::config::model::count(services, "service");
        if least > capacity.into() {
            return Some(format!(
                "if server {server} goes down in its {services}, their tables take {least} slots at least, and there is \
                 room for {capacity}: not all of them could do without it; an instance made with `--max-slots {usual}` \
                 has room"
            ));
        }
        (usual > capacity.into()).then(|| {
            format!(
                "if server {server} goes down in its {services}, {usual} slots are needed, and there is room for \
                 {capacity}: tables with a server down would be coarser and spread its flows less evenly; an instance \
                 made with `--max-slots {usual}` has room"
            )
        })
    }
}

/// The slots that a configuration needs.
pub fn demand(config: &Config) -> Demand {
    let kinds = kinds(&config.services);
    // Services of several kinds may have the same table.
    let mut tables: HashMap<u128, (usize, Slots)> = HashMap::new();
    let mut failures: Vec<(IpAddr, usize, Table)> = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        tables.entry(kind.table.id).or_insert((0, kind.table.slots)).0 += 1;
        failures.extend(kind.without_each().map(|(server, table)| (server, index, table)));
    }
    failures.sort_by_key(|(server, ..)| *server);
    let now = tables.values().fold(Slots::default(), |sum, (_, slots)| sum.plus(*slots));
    let mut worst: Option<Failure> = None;
    let (mut gone, mut new): (HashMap<u128, usize>, HashSet<u128>) = Default::default();
    for changes in failures.chunk_by(|(one, ..), (next, ..)| one == next) {
        let (server, mut services) = (changes[0].0, 0);
        gone.clear();
        new.clear();
        for (_, kind, _) in changes {
            services += kinds[*kind].services;
            *gone.entry(kinds[*kind].table.id).or_default() += 1;
        }
        let stays = |id: &u128| tables.get(id).is_some_and(|(users, _)| gone.get(id).is_none_or(|gone| gone < users));
        let mut slots = now;
        gone.keys().filter(|id| !stays(id)).for_each(|id| slots = slots.minus(tables[id].1));
        for (.., table) in changes {
            if !stays(&table.id) && new.insert(table.id) {
                slots = slots.plus(table.slots);
            }
        }
        if worst.is_none_or(|worst| worst.slots < slots) {
            worst = Some(Failure { server, services, slots });
        }
    }
    Demand { now, worst }
}

impl Slots {
    fn of(extent: Extent, up: usize) -> Self {
        let room = |refinement: Refinement| u64::from(refinement.room(extent, up));
        Self { usual: room(Refinement::default()), least: room(Refinement::COARSEST) }
    }

    const fn plus(self, other: Self) -> Self {
        Self { usual: self.usual + other.usual, least: self.least + other.least }
    }

    const fn minus(self, other: Self) -> Self {
        Self { usual: self.usual - other.usual, least: self.least - other.least }
    }
}

/// A table, by what it is made of.
#[derive(Clone, Copy, Debug)]
struct Table {
    id: u128,
    slots: Slots,
}

/// Services with the same table that change alike when a server goes down.
struct Kind<'a> {
    service: &'a Service,
    takes_flows: Vec<bool>,
    table: Table,
    services: usize,
}

fn kinds(services: &[Service]) -> Vec<Kind<'_>> {
    let mut known: HashMap<(u128, Option<usize>), usize> = HashMap::new();
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let takes_flows = service.takes_flows();
        let table = table(service, &takes_flows);
        let alone = has_failing(service).then_some(index);
        let kind = *known.entry((table.id, alone)).or_insert(kinds.len());
        if kind == kinds.len() {
            kinds.push(Kind { service, takes_flows, table, services: 0 });
        }
        kinds[kind].services += 1;
    }
    kinds
}

/// Whether another server that goes down may decide if checks count, and so change more than itself.
fn has_failing(service: &Service) -> bool {
    service.check.is_some() && service.servers.iter().any(|server| server.health.failing.is_some())
}

impl Kind<'_> {
    /// For each server that takes flows, the table when it is down.
    fn without_each(&self) -> impl Iterator<Item = (IpAddr, Table)> {
        let up = self.takes_flows.iter().filter(|takes| **takes).count();
        let extent = Extent::of(self.service);
        let taking = self.service.servers.iter().enumerate().filter(|(index, _)| self.takes_flows[*index]);
        taking.map(move |(index, server)| {
            if has_failing(self.service) {
                let mut service = self.service.clone();
                service.servers[index].state = State::Down;
                return (server.address, table(&service, &service.takes_flows()));
            }
            let change = part(index, server, false).wrapping_sub(part(index, server, true));
            let id = self.table.id.wrapping_add(change);
            (server.address, Table { id, slots: Slots::of(extent, up - 1) })
        })
    }
}

fn table(service: &Service, takes_flows: &[bool]) -> Table {
    let servers = service.servers.iter().zip(takes_flows).enumerate();
    let parts = servers.map(|(index, (server, takes))| part(index, server, *takes));
    let id = parts.fold(wide_hash(&service.selection), u128::wrapping_add);
    Table { id, slots: Slots::of(Extent::of(service), takes_flows.iter().filter(|takes| **takes).count()) }
}

/// A server's part in a table's sum.
fn part(index: usize, server: &Server, takes_flows: bool) -> u128 {
    // The MAC that is found for an address is the same in all services.
    let given = match server.mac {
        ServerMac::Given(mac) => Some(mac.0),
        ServerMac::Resolved { .. } | ServerMac::Unresolved => None,
    };
    let slot = takes_flows.then_some((given, server.vlan.map(|vlan| vlan.number())));
    wide_hash(&(index, server.address, server.weight, slot))
}

fn wide_hash(value: &impl Hash) -> u128 {
    let mut first = DefaultHasher::new();
    value.hash(&mut first);
    // What has been read so far is hashed once for both halves.
    let mut second = first.clone();
    second.write_u8(1);
    u128::from(first.finish()) << 64 | u128::from(second.finish())
}

#[cfg(test)]
mod tests;
