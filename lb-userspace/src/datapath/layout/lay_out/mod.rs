//! Lays out a whole half: services, servers, slots, cells and counters.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use lb_common::{
    control::Contents,
    formula::powers,
    key::{Kind, Side},
    mac::Mac,
    record::{DrainingRecord, HalfRecord, ServerRecord, ServiceRecord},
    table::{Counter, NextHop, PrefixLengths, ServiceCell, Slot},
};

use super::{
    cells::{self, Key},
    ledger::{Account, Ledger},
};
use crate::{
    config::model::{Config, Direction, Formula, Fragments, Role, Server, Service},
    datapath::{
        capacities::Capacities,
        error::{Error, Result},
        place::{Location, Placed},
        store::{
            records::{group_record, server_record, service_record, vlan_number},
            snapshot::Snapshot,
        },
    },
    decide::slots::SlotTable,
};

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
    /// Counters of former servers.
    pub draining: Vec<DrainingRecord>,
    /// The table of services, as long as the map's half.
    pub cells: Vec<ServiceCell>,
    /// The lengths of prefixes, of IPv4 and of IPv6.
    pub prefixes: [PrefixLengths; 2],
    /// The slots of all services.
    pub slots: Vec<Slot>,
    /// By counter, the servers that a slot alone does not describe.
    pub next_hops: Vec<(u32, NextHop)>,
    /// Counters to zero before this is published.
    pub fresh: Vec<u32>,
}

/// Lays out a configuration in the idle half. `settled` are the values of the draining counters of `have`.
///
/// # Errors
///
/// [`Error::Capacity`]: it does not fit. [`Error::NoMac`]: a server that is up has no MAC.
pub fn lay_out(placed: &Placed, have: &Snapshot, settled: &[Counter], capacities: &Capacities) -> Result<Layout> {
    let services = &placed.config.services;
    let tables: Vec<_> = services.iter().map(SlotTable::build).collect();
    check(services, &tables, capacities)?;

    let half = have.control.half() ^ 1;
    let mut ledger = Ledger::new(have, capacities.counters());
    let mut layout = Layout::default();
    let mut cells = Vec::new();
    for ((service, locations), table) in services.iter().zip(&placed.locations).zip(&tables) {
        let addresses: Vec<_> = service.servers.iter().map(|server| server.address).collect();
        let account = ledger.account(&service.name, &addresses)?;
        cells.push(layout.add((placed.config.role, service), locations, table, &account, half * capacities.slots)?);
    }
    let addresses: Vec<Vec<IpAddr>> =
        services.iter().map(|service| service.servers.iter().map(|server| server.address).collect()).collect();
    let names: Vec<_> = services.iter().zip(&addresses).map(|(s, a)| (s.name.as_str(), a.as_slice())).collect();
    let remains = ledger.close(&names, settled);
    for (service, former) in layout.services.iter_mut().zip(&remains.services) {
        service.former = *former;
    }
    layout.fresh = ledger.fresh;
    layout.draining = remains.draining;
    layout.record = HalfRecord {
        services: layout.services.len() as u32,
        servers: layout.servers.len() as u32,
        slots: layout.slots.len() as u32,
        draining: layout.draining.len() as u32,
        former: remains.former,
        group: group_record(&placed.config.group),
        source: have.record.source,
    };
    layout.prefixes = prefix_lengths(services);
    layout.place_cells(&placed.config, &cells, &placed.own, capacities)?;
    Ok(layout)
}

fn check(services: &[Service], tables: &[SlotTable], capacities: &Capacities) -> Result<()> {
    let servers: u64 = services.iter().map(|service| service.servers.len() as u64).sum();
    let slots: u64 = tables.iter().map(|table| u64::from(table.len())).sum();
    // A service in both directions has twice the keys.
    let both = services.iter().filter(|service| service.direction == Direction::Both).count();
    for (what, needed, capacity, option) in [
        ("services", (services.len() + both) as u64, capacities.services, "--max-services"),
        ("server entries", servers, capacities.servers, "--max-servers"),
        ("slots", slots, capacities.slots, "--max-slots"),
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

/// Whether each slot names the counter with its own number.
fn in_order(slots: &[Slot]) -> bool {
    slots.iter().zip(0..).all(|(slot, number)| u32::from(slot.counter()) == number)
}

impl Layout {
    /// Appends a service with its servers and slots; returns its cell, which has no key yet.
    fn add(
        &mut self,
        (role, service): (Role, &Service),
        locations: &[Location],
        table: &SlotTable,
        account: &Account,
        half_slots: u32,
    ) -> Result<ServiceCell> {
        let first_slot = self.slots.len() as u32;
        let first_server = self.servers.len() as u32;
        let mut entries = Vec::with_capacity(service.servers.len());
        let servers = service.servers.iter().zip(service.takes_flows());
        for (((server, takes), location), counter) in servers.zip(locations).zip(&account.counters) {
            self.servers.push(server_record(server, takes, *location, *counter));
            entries.push(self.slot((role, service), (server, takes), *location, *counter, account.first)?);
        }
        if !table.all_down() {
            let slots =
                table.iter().map(|server| server.map_or_else(Slot::default, |index| entries[usize::from(index)]));
            self.slots.extend(slots);
        }
        let slots = self.slots.len() as u32 - first_slot;
        self.services.push(ServiceRecord {
            first_slot,
            first_server,
            first_counter: account.first,
            slots: table.len(),
            digest: table.digest(service).0,
            ..service_record(service)
        });
        Ok(ServiceCell {
            slots,
            first_slot: half_slots + first_slot,
            first_counter: account.first,
            powers: if slots == 0 { [0; 3] } else { powers(slots) },
            flags: flags(service.formula, in_order(&self.slots[first_slot as usize..])),
            ..ServiceCell::default()
        })
    }

    /// A server's slot. It needs no MAC if the server takes no flows, as it is then never used, nor in role member,
    /// where nothing is sent to other members.
    fn slot(
        &mut self,
        (role, service): (Role, &Service),
        (server, takes): (&Server, bool),
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
        match location {
            // In other roles an indirect slot would mean "this host", so other servers get a direct one.
            Location::SamePort | Location::ViaNextHop { .. } if role != Role::Balancer => {
                return Ok(Slot::new(mac, relative));
            }
            Location::SamePort if server.vlan.is_none() => return Ok(Slot::new(mac, relative)),
            Location::SamePort | Location::Local | Location::ViaNextHop { .. } => {}
        }
        let next_hop = NextHop {
            interface: location.number(),
            vlan: vlan_number(server.vlan),
            destination: mac.0,
            source: location.source().0,
            reserved: 0,
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
        capacities: &Capacities,
    ) -> Result<()> {
        let bare = |kind| move |address: &IpAddr| (bare_key(*address, kind), ServiceCell::default());
        let announced = announced(config);
        let bare = own.iter().map(bare(Kind::Own)).chain(announced.iter().map(bare(Kind::Announced)));
        let sides = [Side::Destination, Side::Source].into_iter().flat_map(|side| keyed(&config.services, cells, side));
        let (keys, values): (Vec<_>, Vec<_>) = sides.chain(bare).unzip();
        let table = cells::place(&keys, capacities.cells())?;
        let cell = |index: usize| {
            let key = &keys[index];
            let prefix = key.prefix.unwrap_or_default();
            ServiceCell { address: key.halves(), tag: key.tag(), prefix, ..values[index] }
        };
        self.cells = table.cells.iter().map(|index| index.map_or_else(ServiceCell::default, cell)).collect();
        self.contents = Contents {
            any_port: keys.iter().any(|key| key.kind == Kind::Protocol),
            any_protocol: keys.iter().any(|key| key.kind == Kind::Address),
            prefix: keys.iter().any(|key| key.prefix.is_some()),
            reply: keys.iter().any(|key| key.side == Side::Source),
            seed: table.seed,
        };
        Ok(())
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
        address: service.address.addr(),
        prefix: service.is_prefix().then(|| length(service)),
        side,
        kind,
        protocol: service.protocol.unwrap_or_default(),
        port: service.port.unwrap_or_default(),
    }
}

const fn bare_key(address: IpAddr, kind: Kind) -> Key {
    Key { address, prefix: None, side: Side::Destination, kind, protocol: 0, port: 0 }
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

fn prefix_lengths(services: &[Service]) -> [PrefixLengths; 2] {
    [false, true].map(|six| {
        let prefixes = services.iter().filter(|service| service.is_prefix() && service.address.addr().is_ipv6() == six);
        let longest_first: BTreeSet<_> = prefixes.map(|service| Reverse(length(service))).collect();
        let mut lengths = PrefixLengths { count: longest_first.len() as u32, ..PrefixLengths::default() };
        for (entry, Reverse(length)) in lengths.lengths.iter_mut().zip(longest_first) {
            *entry = length as u8;
        }
        lengths
    })
}

fn no_mac(service: &Service, server: &Server) -> Error {
    Error::NoMac { service: service.name.clone(), server: server.address }
}

#[cfg(test)]
mod tests;
