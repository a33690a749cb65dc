//! Rankings and directories of role `keep`.
//!
//! Equal rankings are stored once: services with the same servers, states and lists share them.

use std::{collections::HashMap, net::IpAddr};

use lb_common::{
    formula::powers,
    keep::{DEPTH, Directory, ENTRY_WORDS, LIST_WORDS, List, NONE, RANKED_WORDS, pack, per_window},
    table::{ServiceCell, Slot, SocketsIn},
};

use super::{super::ledger::Account, lists::slots_of};
use crate::{
    config::{
        self,
        model::{Health, PreviousServer, Selection, Server, Service, Sockets},
    },
    datapath::{
        error::{Error, Result},
        place::{Location, Placed},
    },
    decide::keep::{
        ranking::{Ranking, Rankings, is_alive},
        ring::hash,
    },
};

/// All that the rankings of a service depend on: how slots are assigned, for each server its address, weight, whether
/// it takes flows and is alive, and its counter relative to the service's first; the earlier lists.
type Key<'a> = (Selection, Vec<(IpAddr, u32, bool, bool, u16)>, &'a [Vec<PreviousServer>]);

/// The different rankings of a configuration.
pub struct RankingTables<'a> {
    /// A service of each.
    distinct: Vec<(&'a Service, Vec<Standing>)>,
    /// For each service, the index of its rankings.
    of: Vec<usize>,
}

/// What counts of a server.
#[derive(Clone, Copy, Debug)]
struct Standing {
    takes_flows: bool,
    is_alive: bool,
    /// Its counter, relative to the service's first.
    counter: u16,
}

impl<'a> RankingTables<'a> {
    /// What the services need.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyHolders`]: a service has so many servers that a counter would be no server's.
    pub fn find(placed: &'a Placed, accounts: &[Account]) -> Result<Self> {
        let mut known: HashMap<Key<'_>, usize> = HashMap::new();
        let mut tables = Self { distinct: Vec::new(), of: Vec::new() };
        for ((service, locations), account) in placed.config.services.iter().zip(&placed.locations).zip(accounts) {
            let standings = standings(service, locations, account)?;
            let servers = service.servers.iter().zip(&standings);
            let servers =
                servers.map(|(server, it)| (server.address, server.weight, it.takes_flows, it.is_alive, it.counter));
            let key = (service.selection, servers.collect(), &service.previous[..]);
            let index = *known.entry(key).or_insert(tables.distinct.len());
            if index == tables.distinct.len() {
                tables.distinct.push((service, standings));
            }
            tables.of.push(index);
        }
        Ok(tables)
    }

    /// How many words of the map of slots they take up.
    pub fn room(&self) -> u64 {
        let directories: usize = self.of.iter().map(|index| directory_words(self.distinct[*index].0)).sum();
        let rankings = self.distinct.iter().flat_map(|(service, _)| slots_of(service));
        directories as u64 + rankings.map(|slots| u64::from(slots) * ENTRY_WORDS as u64).sum::<u64>()
    }

    /// Appends them to the slots of a half that starts at `half_slots`, and completes the services' cells.
    pub fn build(
        &self,
        placed: &Placed,
        (accounts, taken): (&[Account], &[u32]),
        half_slots: u32,
        (slots, cells): (&mut Vec<Slot>, &mut [ServiceCell]),
    ) {
        let lists: Vec<_> =
            self.distinct.iter().map(|(service, standings)| rankings(service, standings, half_slots, slots)).collect();
        let services = placed.config.services.iter().zip(&placed.peers).zip(&placed.names);
        let services = services.zip(accounts).zip(taken).zip(cells).zip(&self.of);
        for ((((((service, rule), name), account), taken), cell), index) in services {
            let (standings, lists) = (&self.distinct[*index].1, &lists[*index]);
            let directory = half_slots + slots.len() as u32;
            let limit = per_window(placed.config.hand_on_limit());
            let own = name.map_or(0, hash);
            slots.push(Slot(Directory { lists: lists.len() as u32 - 1, limit, own }.pack()));
            slots.push(Slot(u64::from(*taken)));
            slots.extend(lists[1..].iter().flat_map(|list| list.pack()).map(Slot));
            let alone = standings.iter().enumerate().all(|(index, it)| !it.is_alive || rule.here == Some(index));
            *cell = ServiceCell {
                slots: lists[0].slots,
                first_slot: lists[0].first,
                powers: lists[0].powers,
                flags: cell.flags & !ServiceCell::IN_ORDER
                    | if alone { ServiceCell::ALONE } else { 0 }
                    | ServiceCell::netns_flags(sockets_in(service)),
                here: rule.here.map_or(ServiceCell::NOT_HERE, |server| account.counters[server] - account.first),
                directory,
                ..*cell
            };
        }
    }
}

/// Words of a service's directory.
fn directory_words(service: &Service) -> usize {
    RANKED_WORDS + LIST_WORDS * service.previous.len()
}

fn standings(service: &Service, locations: &[Location], account: &Account) -> Result<Vec<Standing>> {
    let servers = service.servers.iter().zip(service.standings()).zip(locations).zip(&account.counters);
    let standing =
        |(((server, standing), location), counter): (((&Server, config::standing::Standing), &Location), &u32)| {
            let counter = u16::try_from(counter - account.first).ok().filter(|counter| *counter != NONE);
            // A server that is down may also be out of reach or dead.
            let Health { failing, unresolved, .. } = server.health;
            let is_well = !server.is_down() || (failing.is_none() && unresolved.is_none());
            let is_reached = *location == Location::Local || server.mac.get().is_some();
            Ok(Standing {
                takes_flows: standing.takes_flows(),
                is_alive: is_reached && is_well && is_alive(&standing),
                counter: counter.ok_or_else(|| Error::TooManyHolders(service.name.clone()))?,
            })
        };
    servers.map(standing).collect()
}

/// Appends the rankings of a service. Returns where they are, the present one first.
fn rankings(service: &Service, standings: &[Standing], half_slots: u32, slots: &mut Vec<Slot>) -> Vec<List> {
    let universe: Vec<_> = service.servers.iter().map(|server| server.address).collect();
    let alive: Vec<_> = standings.iter().map(|it| it.is_alive).collect();
    let takes_flows: Vec<_> = standings.iter().map(|it| it.takes_flows).collect();
    let counter = |server: u16| standings.get(usize::from(server)).map_or(NONE, |it| it.counter);
    let lists = Rankings::of(service, &universe, &alive, &takes_flows).lists;
    let append = |list: Ranking| {
        let first = half_slots + slots.len() as u32;
        slots.extend(list.entries.iter().flat_map(|entry: &[u16; DEPTH]| pack(entry.map(counter))).map(Slot));
        let powers = if list.slots == 0 { [0; 3] } else { powers(list.slots) };
        List { slots: list.slots, first, powers }
    };
    lists.into_iter().map(append).collect()
}

/// Where the service's sockets are.
fn sockets_in(service: &Service) -> SocketsIn {
    match &service.sockets {
        None => SocketsIn::InterfacesNetns,
        Some(Sockets { netns: _, id }) => id.map_or(SocketsIn::Nowhere, SocketsIn::Netns),
    }
}
