//! For each slot of a service's lists, whether another member than this host may hold its flows.
//!
//! Equal bits are stored once: services with the same servers, states and lists share them.

use std::{collections::HashMap, net::IpAddr};

use lb_common::{
    formula::powers,
    keep::{Directory, GROUP_WORDS, LIST_WORDS, List, bit_word, bit_words},
    table::{ServiceCell, Slot},
};

use super::{super::ledger::Account, lists::slots_of};
use crate::{
    config::model::{PreviousServer, Selection, Service},
    datapath::place::{Location, Placed},
    decide::keep::{
        members::{is_shared, others},
        ranking::{Ranking, Rankings, is_alive},
    },
};

/// All that the bits of a service depend on: how slots are assigned, for each server its address, weight and standing;
/// the earlier lists.
type Key<'a> = (Selection, Vec<(IpAddr, u32, Standing)>, &'a [Vec<PreviousServer>]);

/// Where the bits of a service are.
struct Bits(Vec<List>);

/// The different bits of a configuration.
pub struct BitTables<'a> {
    /// A service of each.
    distinct: Vec<(&'a Service, Vec<Standing>)>,
    /// For each service, the index of its bits; `None`: only the owner can hold a connection.
    of: Vec<Option<usize>>,
}

/// What counts of a server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Standing {
    takes_flows: bool,
    is_alive: bool,
    is_draining: bool,
    is_here: bool,
}

impl<'a> BitTables<'a> {
    /// What the services need.
    pub fn find(placed: &'a Placed) -> Self {
        let mut known: HashMap<Key<'_>, usize> = HashMap::new();
        let mut tables = Self { distinct: Vec::new(), of: Vec::new() };
        for (service, locations) in placed.config.services.iter().zip(&placed.locations) {
            if !is_shared(service) {
                tables.of.push(None);
                continue;
            }
            let standings = standings(service, locations);
            let servers = service.servers.iter().zip(&standings);
            let servers = servers.map(|(server, it)| (server.address, server.weight, *it));
            let key = (service.selection, servers.collect(), &service.previous[..]);
            let index = *known.entry(key).or_insert(tables.distinct.len());
            if index == tables.distinct.len() {
                tables.distinct.push((service, standings));
            }
            tables.of.push(Some(index));
        }
        tables
    }

    /// How many words of the map of slots they take up at most.
    pub fn room(&self) -> u64 {
        let bits = |(service, _): &(&Service, _)| slots_of(service).map(bit_words).sum::<usize>();
        let directory = |index: &usize| GROUP_WORDS + LIST_WORDS * (1 + self.distinct[*index].0.previous.len());
        let bits: usize = self.distinct.iter().map(bits).sum();
        (bits + self.of.iter().flatten().map(directory).sum::<usize>()) as u64
    }

    /// Appends them to the slots of a half that starts at `half_slots`, and completes the services' cells.
    pub fn build(
        &self,
        placed: &Placed,
        accounts: &[Account],
        half_slots: u32,
        (slots, cells): (&mut Vec<Slot>, &mut [ServiceCell]),
    ) {
        let bits: Vec<_> =
            self.distinct.iter().map(|(service, standings)| append(service, standings, half_slots, slots)).collect();
        let services = placed.config.services.iter().zip(&placed.peers).zip(accounts).zip(cells).zip(&self.of);
        for ((((service, rule), account), cell), index) in services {
            let Some(Bits(lists)) = index.map(|index| &bits[index]) else { continue };
            let directory = half_slots + slots.len() as u32;
            slots.push(Slot(Directory { lists: lists.len() as u32, ..Directory::default() }.pack()));
            slots.extend(halves(service.address.addr()).map(Slot));
            slots.extend(lists.iter().flat_map(|list| list.pack()).map(Slot));
            *cell = ServiceCell {
                flags: cell.flags | ServiceCell::SHARED,
                here: rule.here.map_or(ServiceCell::NOT_HERE, |server| account.counters[server] - account.first),
                directory,
                ..*cell
            };
        }
    }
}

fn standings(service: &Service, locations: &[Location]) -> Vec<Standing> {
    let servers = service.servers.iter().zip(service.standings()).zip(service.takes_flows()).zip(locations);
    let standing = servers.map(|(((server, standing), takes_flows), location)| Standing {
        takes_flows,
        is_alive: is_alive(&standing),
        is_draining: server.is_down(),
        is_here: *location == Location::Local,
    });
    standing.collect()
}

/// Appends the bits of a service. Lists by which nobody else may hold anything are left out.
fn append(service: &Service, standings: &[Standing], half_slots: u32, slots: &mut Vec<Slot>) -> Bits {
    let universe: Vec<_> = service.servers.iter().map(|server| server.address).collect();
    let alive: Vec<_> = standings.iter().map(|it| it.is_alive).collect();
    let takes_flows: Vec<_> = standings.iter().map(|it| it.takes_flows).collect();
    let rankings = Rankings::of(service, &universe, &alive, &takes_flows);
    let mut lists = Vec::new();
    for (list, ranking) in rankings.lists.iter().enumerate() {
        let bits = bits(list, ranking, standings);
        if bits.iter().any(|word| *word != 0) {
            let first = half_slots + slots.len() as u32;
            slots.extend(bits.into_iter().map(Slot));
            lists.push(List { slots: ranking.slots, first, powers: powers(ranking.slots) });
        }
    }
    Bits(lists)
}

/// [`lb_common::flow::Address::halves`] of an address.
fn halves(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    };
    [(bits >> 64) as u64, bits as u64]
}

/// The bits of a list; 0 is the present one.
fn bits(list: usize, ranking: &Ranking, standings: &[Standing]) -> Vec<u64> {
    let standing = |server: u16| standings.get(usize::from(server));
    let mut words = vec![0; bit_words(ranking.slots)];
    for (slot, entry) in (0..).zip(&ranking.entries) {
        let mut others = others(list, entry, |server| standing(server).is_some_and(|it| it.is_draining));
        if others.any(|holder| standing(holder.server).is_some_and(|it| !it.is_here)) {
            words[bit_word(slot) as usize] |= 1 << (slot % u64::BITS);
        }
    }
    words
}
