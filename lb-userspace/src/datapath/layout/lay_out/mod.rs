//! Lays out a whole half: services, servers, slots, cells and counters.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use lb_common::{
    control::Contents,
    formula::powers,
    key::{Kind, Side},
    mac::Mac,
    prefixes::{PrefixFilter, PrefixLengths},
    record::{DrainingRecord, HalfRecord, PreviousRecord, ServerRecord, ServiceRecord},
    table::{Counter, Exit, NextHop, ServiceCell, Slot},
};

use super::{
    cells::{self, Key, Subject},
    keep::KeepTables,
    ledger::{Account, Holder, Ledger, Remains},
    peers::PeerSets,
    prefixes, taken,
};
use crate::{
    config::model::{Config, Direction, Formula, Fragments, Role, Server, Service},
    datapath::{
        capacities::{Capacities, PREVIOUS_ENTRIES},
        error::{Error, Result},
        place::{Location, Placed},
        store::{
            records::{group_record, peer_records, server_record, service_record, vlan_number},
            snapshot::Snapshot,
        },
    },
    decide::{keep::ring, peers::PeerRule},
};

mod exit;
mod previous;
mod stretches;

use exit::exit;
use stretches::{Stretch, Stretches};

/// The contents of a half. Indices are relative to the half, except those in cells, which the datapath uses directly.
#[derive(Debug, Default)]
pub struct Layout {
    /// What the control word says about it.
    pub contents: Contents,
    /// The half's record.
    pub record: HalfRecord,
    /// The services.
    pub services: Vec<ServiceRecord>,
    /// The servers of all services.
    pub servers: Vec<ServerRecord>,
    /// The servers of previous lists, of all services.
    pub previous: Vec<PreviousRecord>,
    /// Counters of former servers.
    pub draining: Vec<DrainingRecord>,
    /// The table of services, as long as the map's half.
    pub cells: Vec<ServiceCell>,
    /// The lengths of prefixes, of IPv4 and of IPv6.
    pub prefixes: [PrefixLengths; 2],
    /// Their filters.
    pub filters: Vec<PrefixFilter>,
    /// The slots of all services.
    pub slots: Vec<Slot>,
    /// By counter, the servers that a slot alone does not describe.
    pub next_hops: Vec<(u32, NextHop)>,
    /// Counters to zero before this is published.
    pub fresh: Vec<u32>,
    /// The same of services' counters of packets that this host was the last to take.
    pub fresh_taken: Vec<u32>,
}

/// Lays out a configuration in the idle half. `settled` are the values of the draining counters of `have`.
///
/// # Errors
///
/// [`Error::Capacity`], [`Error::TooManyPeers`]: it does not fit. [`Error::NoMac`]: a server that is up has no MAC.
pub fn lay_out(placed: &Placed, have: &Snapshot, settled: &[Counter], capacities: &Capacities) -> Result<Layout> {
    let services = &placed.config.services;
    check(services, capacities)?;

    let mut ledger = Ledger::new(have, capacities.counters());
    let mut layout = Layout::default();
    let addresses = addresses(services);
    let accounts = ledger.accounts(&names(services, &addresses))?;
    let mut entries = Vec::with_capacity(services.len());
    let subjects = services.iter().zip(&placed.locations).zip(&placed.peers).zip(&accounts);
    for (((service, locations), rule), account) in subjects {
        entries.push(layout.add_servers((placed.config.role, service, rule), locations, account)?);
    }
    let stretches = Stretches::find(services, entries);
    let keep = KeepTables::find(placed, &accounts, capacities.slots)?;
    let rest = capacities.slots - keep.as_ref().map_or(0, |keep| keep.room() as u32);
    let refinement = stretches.refinement(rest)?;
    let stretches = stretches.build(refinement, &mut layout.slots);

    let half_slots = (have.control.half() ^ 1) * capacities.slots;
    let mut sets = PeerSets::default();
    let subjects = services.iter().zip(&placed.locations).zip(&placed.peers);
    let mut cells: Vec<_> = subjects
        .zip(accounts.iter().zip(&stretches))
        .map(|(((service, locations), rule), (account, stretch))| {
            let cell = layout.add_service(service, account, stretch, half_slots);
            let cell = sets.mark(cell, rule, account);
            exit((placed.config.role, service, rule), locations).map_or(cell, |exit| cell.with_exit(exit))
        })
        .collect();
    if let Some(keep) = keep {
        let taken = taken::number(services, have, capacities.taken());
        let owned = (&accounts[..], &taken.numbers[..]);
        keep.build(placed, owned, half_slots, (&mut layout.slots, &mut cells));
        layout.services.iter_mut().zip(&taken.numbers).for_each(|(service, number)| service.taken = *number);
        layout.fresh_taken = taken.fresh;
    }
    let holders = services.iter().zip(&addresses).zip(&accounts);
    let holders: Vec<_> = holders.map(|((s, servers), account)| Holder { name: &s.name, servers, account }).collect();
    layout.take_over(ledger.close(&holders, settled));
    layout.fresh = ledger.fresh;
    let (peers, peer_count) = peer_records(&placed.config.peers);
    layout.record = HalfRecord {
        services: layout.services.len() as u32,
        servers: layout.servers.len() as u32,
        slots: layout.slots.len() as u32,
        draining: layout.draining.len() as u32,
        previous: layout.previous.len() as u32,
        refined_slots: refinement.slots(),
        group: group_record(&placed.config.group),
        source: have.record.source,
        own: placed.own_digest(),
        peers,
        peer_count,
        carried: 0,
        max_hand_ons: placed.config.max_hand_ons.map_or(0, |limit| limit + 1),
        ..layout.record
    };
    let half = have.control.half() ^ 1;
    layout.place_cells(&placed.config, &cells, &placed.own, &sets.keys()?, (capacities, half))?;
    Ok(layout)
}

/// Finds out whether a configuration fits, without laying it out.
///
/// # Errors
///
/// Those of [`lay_out`], but not that the table of services cannot be built.
pub fn fits(placed: &Placed, have: &Snapshot, capacities: &Capacities) -> Result<()> {
    let services = &placed.config.services;
    check(services, capacities)?;
    let addresses = addresses(services);
    let accounts = Ledger::new(have, capacities.counters()).accounts(&names(services, &addresses))?;
    let (mut layout, mut entries) = (Layout::default(), Vec::new());
    let subjects = services.iter().zip(&placed.locations).zip(&placed.peers).zip(&accounts);
    for (((service, locations), rule), account) in subjects {
        entries.push(layout.add_servers((placed.config.role, service, rule), locations, account)?);
    }
    let keep = KeepTables::find(placed, &accounts, capacities.slots)?;
    let rest = capacities.slots - keep.map_or(0, |keep| keep.room() as u32);
    Stretches::find(services, entries).refinement(rest).map(drop)
}

/// The addresses of each service's servers.
fn addresses(services: &[Service]) -> Vec<Vec<IpAddr>> {
    services.iter().map(|service| service.servers.iter().map(|server| server.address).collect()).collect()
}

/// The services by name, with their servers.
fn names<'a>(services: &'a [Service], addresses: &'a [Vec<IpAddr>]) -> Vec<(&'a str, &'a [IpAddr])> {
    services.iter().zip(addresses).map(|(service, servers)| (service.name.as_str(), &servers[..])).collect()
}

/// Whether there is room for everything but slots.
fn check(services: &[Service], capacities: &Capacities) -> Result<()> {
    let servers: u64 = services.iter().map(|service| service.servers.len() as u64).sum();
    let previous = services.iter().map(Service::previous_servers).sum();
    // A service in both directions has twice the keys.
    let both = services.iter().filter(|service| service.direction == Direction::Both).count();
    for (what, needed, capacity, option) in [
        ("services", (services.len() + both) as u64, capacities.services, "--max-services"),
        ("server entries", servers, capacities.servers, "--max-servers"),
        (PREVIOUS_ENTRIES, previous, capacities.previous(), "--max-servers"),
    ] {
        if needed > u64::from(capacity) {
            return Err(Error::Capacity { what, needed, capacity: capacity.into(), option });
        }
    }
    Ok(())
}

/// The flags of a service's cell.
const fn flags(formula: Formula, in_order: bool) -> u32 {
    let formula = match formula {
        Formula::ThreeTuple => 0,
        Formula::FiveTuple => ServiceCell::FIVE_TUPLE,
    };
    if in_order { formula | ServiceCell::IN_ORDER } else { formula }
}

impl Layout {
    /// Appends the records of a service's servers. Returns a slot for each of them that takes flows.
    fn add_servers(
        &mut self,
        subject @ (_, service, _): (Role, &Service, &PeerRule),
        locations: &[Location],
        account: &Account,
    ) -> Result<Vec<Option<Slot>>> {
        let mut entries = Vec::with_capacity(service.servers.len());
        let exit = exit(subject, locations);
        let servers = service.servers.iter().zip(service.takes_flows());
        for (((server, takes), location), counter) in servers.zip(locations).zip(&account.counters) {
            self.servers.push(server_record(server, takes, *location, *counter));
            let slot = self.slot(subject, (server, takes, exit), *location, *counter, account.first)?;
            entries.push(takes.then_some(slot));
        }
        Ok(entries)
    }

    /// Appends a service, whose servers are there already; returns its cell, which has no key yet.
    fn add_service(&mut self, service: &Service, account: &Account, stretch: &Stretch, half_slots: u32) -> ServiceCell {
        let first_server = self.services.last().map_or(0, |last| last.first_server + last.servers);
        let first_previous = self.add_previous(service);
        self.services.push(ServiceRecord {
            first_previous,
            first_slot: stretch.first,
            first_server,
            first_counter: account.first,
            slots: stretch.length,
            digest: stretch.digest.0,
            ..service_record(service)
        });
        ServiceCell {
            slots: stretch.slots,
            first_slot: half_slots + stretch.first,
            first_counter: account.first,
            powers: if stretch.slots == 0 { [0; 3] } else { powers(stretch.slots) },
            flags: flags(service.formula, stretch.in_order),
            ..ServiceCell::default()
        }
    }

    /// Enters what former counters counted.
    fn take_over(&mut self, remains: Remains) {
        for (service, former) in self.services.iter_mut().zip(remains.services) {
            service.former = former;
        }
        for (server, former) in self.servers.iter_mut().zip(remains.servers) {
            server.former = former;
        }
        self.record.former = remains.former;
        self.draining = remains.draining;
    }

    /// A server's slot. It needs no MAC if the server takes no flows, as it is then never used, nor in role member,
    /// where nothing is sent to other members.
    fn slot(
        &mut self,
        (role, service, rule): (Role, &Service, &PeerRule),
        (server, takes, exit): (&Server, bool, Option<Exit>),
        location: Location,
        counter: u32,
        first: u32,
    ) -> Result<Slot> {
        let relative = (counter - first) as u16;
        let mac = match (server.mac.get(), takes, location) {
            (Some(mac), _, _) => mac,
            (None, false, _) | (None, true, Location::Local) => Mac::ZERO,
            (None, true, Location::SamePort | Location::ViaNextHop { .. }) if role == Role::Member => Mac::ZERO,
            (None, true, Location::SamePort | Location::ViaNextHop { .. }) => return Err(no_mac(service, server)),
        };
        if takes && exit.is_some() {
            return Ok(Slot::by_exit(mac, relative));
        }
        match location {
            // In other roles an indirect slot would mean "this host", so other servers get a direct one. Role `keep`
            // goes by next hops alone.
            Location::SamePort | Location::ViaNextHop { .. } if !matches!(role, Role::Balancer | Role::Keep) => {
                return Ok(Slot::new(mac, relative));
            }
            // With peers, packets must leave the fast path, which asks for no sender.
            Location::SamePort if server.vlan.is_none() && rule.macs.is_empty() && role == Role::Balancer => {
                return Ok(Slot::new(mac, relative));
            }
            Location::SamePort | Location::Local | Location::ViaNextHop { .. } => {}
        }
        let next_hop = NextHop {
            interface: location.number(),
            vlan: vlan_number(server.vlan),
            destination: mac.0,
            source: location.source().0,
            ring: if role == Role::Keep { ring::hash(server.address) } else { 0 },
        };
        self.next_hops.push((counter, next_hop));
        Ok(Slot::indirect(relative))
    }

    /// Builds the table of all keys.
    fn place_cells(
        &mut self,
        config: &Config,
        cells: &[ServiceCell],
        own: &[IpAddr],
        peers: &[Key],
        (capacities, half): (&Capacities, u32),
    ) -> Result<()> {
        let bare = |kind| move |address: &IpAddr| Key::bare(Subject::Address(*address), kind);
        let announced = announced(config);
        let bare = own.iter().map(bare(Kind::Own)).chain(announced.iter().map(bare(Kind::Announced)));
        let bare = bare.chain(peers.iter().copied()).map(|key| (key, ServiceCell::default()));
        let sides = [Side::Destination, Side::Source].into_iter().flat_map(|side| keyed(&config.services, cells, side));
        let (keys, values): (Vec<_>, Vec<_>) = sides.chain(bare).unzip();
        self.prefixes = prefixes::lengths(&keys);
        self.filters = prefixes::filters(&keys);
        let table = self.place_with_markers(&keys, &values, (capacities.cells(), half))?;
        self.contents = Contents {
            any_port: keys.iter().any(|key| key.kind == Kind::Protocol),
            any_protocol: keys.iter().any(|key| key.kind == Kind::Address),
            prefix: keys.iter().any(|key| key.prefix.is_some()),
            reply: keys.iter().any(|key| key.side == Side::Source),
            forward: config.services.iter().any(|service| service.direction.takes_forward()),
            seed: table,
        };
        Ok(())
    }

    /// Fills the table of services, with markers of prefixes if there is room. Returns its seed.
    fn place_with_markers(&mut self, keys: &[Key], values: &[ServiceCell], (length, half): (u32, u32)) -> Result<u16> {
        let markers = prefixes::markers(keys, &self.prefixes);
        let marked: Vec<_> = keys.iter().copied().chain(markers.iter().map(|(key, _)| *key)).collect();
        let has_room = marked.len() <= length as usize / 2;
        let table = has_room.then(|| cells::place(&marked, length).ok()).flatten();
        let is_marked = table.is_some();
        let table = table.map_or_else(|| cells::place(keys, length), Ok)?;
        let places = table.cells.iter().zip(0..).filter_map(|(index, place)| Some((marked[(*index)?], place)));
        let places: HashMap<Key, u32> = places.filter(|(key, _)| key.prefix.is_some()).collect();
        let best = |key: &Key| Some((half * length + places.get(key)? + 1, key.prefix? + 1));
        let marker = |index: usize| ServiceCell::marker(markers[index].1.as_ref().and_then(best).unwrap_or_default());
        let cell = |index: usize| {
            let (key, value) = (&marked[index], values.get(index).copied());
            let value = value.unwrap_or_else(|| marker(index - keys.len()));
            ServiceCell { address: key.halves(), tag: key.tag(), prefix: key.prefix.unwrap_or_default(), ..value }
        };
        self.cells = table.cells.iter().map(|index| index.map_or_else(ServiceCell::default, cell)).collect();
        for lengths in self.prefixes.iter_mut().filter(|_| is_marked) {
            lengths.flags |= PrefixLengths::MARKED;
        }
        Ok(table.seed)
    }
}

/// Every key of one side with its cell: one key for each service, and one for the fragments of each address and
/// protocol.
fn keyed(services: &[Service], cells: &[ServiceCell], side: Side) -> Vec<(Key, ServiceCell)> {
    let takes = |service: &Service| match side {
        Side::Destination => service.direction.takes_forward(),
        Side::Source => service.direction.takes_reply(),
    };
    let services: Vec<_> = services.iter().zip(cells).filter(|(service, _)| takes(service)).collect();
    let mut keyed: Vec<_> = services.iter().map(|(service, cell)| (key(service, side), **cell)).collect();
    let whole: HashSet<_> = services.iter().filter(|(s, _)| s.protocol.is_none()).map(|(s, _)| s.address).collect();
    let mut fragments: HashMap<Key, (u8, ServiceCell)> = HashMap::new();
    for (service, cell) in services {
        let Some(protocol) = service.protocol else { continue };
        // Fragments go to the service that asks for them, else to one without port, else to none. If a service takes
        // all protocols, the datapath finds that by itself.
        let (rank, cell) = match (service.fragments, service.port) {
            (Fragments::Balance, _) => (2, *cell),
            (Fragments::Pass, None) => (1, *cell),
            (Fragments::Pass, Some(_)) if whole.contains(&service.address) => continue,
            (Fragments::Pass, Some(_)) => (0, ServiceCell { flags: ServiceCell::PASS, ..ServiceCell::default() }),
        };
        let kind = if service.is_prefix() { Kind::PrefixFragment } else { Kind::Fragment };
        let key = Key { kind, protocol, port: 0, ..key(service, side) };
        let best = fragments.entry(key).or_insert((rank, cell));
        if best.0 < rank {
            *best = (rank, cell);
        }
    }
    let mut fragments: Vec<_> = fragments.into_iter().map(|(key, (_, cell))| (key, cell)).collect();
    fragments.sort_unstable_by_key(|(key, _)| *key);
    keyed.extend(fragments);
    keyed
}

fn key(service: &Service, side: Side) -> Key {
    let kind = match (service.is_prefix(), service.protocol, service.port) {
        (false, Some(_), Some(_)) => Kind::Port,
        (false, Some(_), None) => Kind::Protocol,
        (false, None, _) => Kind::Address,
        (true, Some(_), Some(_)) => Kind::PrefixPort,
        (true, Some(_), None) => Kind::PrefixProtocol,
        (true, None, _) => Kind::PrefixAddress,
    };
    Key {
        subject: Subject::Address(service.address.addr()),
        prefix: service.is_prefix().then(|| length(service)),
        side,
        kind,
        protocol: service.protocol.unwrap_or_default(),
        port: service.port.unwrap_or_default(),
    }
}

/// The addresses for which ARP requests and neighbour solicitations are answered.
fn announced(config: &Config) -> BTreeSet<IpAddr> {
    let services = config.services.iter().filter(|service| config.group.answer_arp && service.is_announced());
    services.map(|service| service.address.addr()).collect()
}

/// The length of a service's prefix, of 128 bits.
fn length(service: &Service) -> u32 {
    let length = u32::from(service.address.prefix_len());
    if service.address.addr().is_ipv4() { 96 + length } else { length }
}

fn no_mac(service: &Service, server: &Server) -> Error {
    Error::NoMac { service: service.name.clone(), server: server.address }
}

#[cfg(test)]
mod tests;
