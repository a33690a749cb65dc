use std::collections::{BTreeMap, HashSet};

use lb_common::limits::COUNTERS_PER_SERVER;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    config::{
        model::{Health, Peer, PeerMac, ServerMac, State},
        testing,
    },
    decide::slots::SlotTable,
};

mod exits;
mod previous;
mod shared;

const CAPACITIES: Capacities = Capacities { services: 16, slots: 200_000, servers: 30 };

/// The snapshot that a reader gets after a layout was published.
fn published(placed: &Placed, have: &Snapshot, layout: &Layout) -> Snapshot {
    Snapshot {
        control: have.control.publish(layout.contents),
        config: placed.config.clone(),
        locations: placed.locations.clone(),
        record: layout.record,
        services: layout.services.clone(),
        servers: layout.servers.clone(),
        previous: layout.previous.clone(),
        draining: layout.draining.clone(),
    }
}

fn placed(mut config: Config) -> Placed {
    for server in config.services.iter_mut().flat_map(|service| &mut service.servers) {
        if server.mac == ServerMac::Unresolved {
            server.mac = ServerMac::Resolved { mac: Mac([2, 0, 0, 0, 0, 9]), on: 2 };
        }
    }
    let locations = config.services.iter().map(|service| vec![Location::SamePort; service.servers.len()]).collect();
    Placed::new(config, locations, Vec::new())
}

/// How many packets should be counted, by server, by service, and in total.
#[derive(Default)]
struct Model {
    servers: BTreeMap<(String, IpAddr), u64>,
    services: BTreeMap<String, u64>,
    all: u64,
}

impl Model {
    fn count(&mut self, service: &str, server: IpAddr) {
        *self.servers.entry((service.to_owned(), server)).or_default() += 1;
        *self.services.entry(service.to_owned()).or_default() += 1;
        self.all += 1;
    }

    /// Forgets former servers and services.
    fn keep(&mut self, config: &Config) {
        let stays = |name: &str, server: IpAddr| {
            config
                .services
                .iter()
                .any(|service| service.name == name && service.servers.iter().any(|s| s.address == server))
        };
        self.servers.retain(|(name, server), _| stays(name, *server));
        self.services.retain(|name, _| config.services.iter().any(|service| service.name == *name));
    }
}

/// The map of counters, and the two halves that programs may be using.
struct World {
    counters: Vec<u64>,
    have: Snapshot,
    before: Snapshot,
    model: Model,
}

impl World {
    fn new() -> Self {
        let counters = vec![0; CAPACITIES.counters() as usize];
        Self { counters, have: Snapshot::default(), before: Snapshot::default(), model: Model::default() }
    }

    /// Counts a packet for some server of the active half or, if `late`, of the previous one.
    fn packet(&mut self, late: bool, pick: usize) {
        let half = if late { &self.before } else { &self.have };
        let counted: Vec<_> =
            half.counted().map(|(service, server, counter)| (service.to_owned(), server, counter)).collect();
        if counted.is_empty() {
            return;
        }
        let (service, server, counter) = counted[pick % counted.len()].clone();
        self.counters[counter as usize] += 1;
        self.model.count(&service, server);
        let now = self.have.config.clone();
        self.model.keep(&now);
    }

    fn publish(&mut self, config: Config) {
        let value = |counter: u32| Counter { packets: self.counters[counter as usize], bytes: 0 };
        let settled: Vec<_> = self.have.draining.iter().map(|draining| value(draining.counter)).collect();
        let placed = placed(config);
        let layout = lay_out(&placed, &self.have, &settled, &CAPACITIES).unwrap();
        // A command that is killed here has zeroed these, and readers still see the previous half.
        for counter in &layout.fresh {
            self.counters[*counter as usize] = 0;
        }
        self.check();
        let next = published(&placed, &self.have, &layout);
        self.before = std::mem::replace(&mut self.have, next);
        self.model.keep(&placed.config);
        self.check();
    }

    /// The reader's sums are what was counted.
    fn check(&self) {
        let value = |counter: u32| self.counters[counter as usize];
        let mut services: BTreeMap<_, u64> = BTreeMap::new();
        for (service, record) in self.have.config.services.iter().zip(&self.have.services) {
            *services.entry(service.name.clone()).or_default() += record.former.packets;
        }
        let mut all = self.have.record.former.packets;
        let draining = |index: u32| self.have.draining.iter().filter(move |draining| draining.server == index);
        for (((service, server, counter), record), index) in self.have.counted().zip(&self.have.servers).zip(0..) {
            let before: u64 = draining(index).map(|draining| value(draining.counter)).sum();
            let sum = value(counter) + record.former.packets + before;
            let counted = self.model.servers.get(&(service.to_owned(), server)).copied().unwrap_or(0);
            assert_eq!(sum, counted, "{service} {server}");
            *services.get_mut(service).unwrap() += sum;
        }
        for draining in draining(DrainingRecord::NO_SERVER) {
            match self.have.config.services.get(draining.service as usize) {
                Some(service) => *services.get_mut(&service.name).unwrap() += value(draining.counter),
                None => all += value(draining.counter),
            }
        }
        for (service, counted) in &services {
            assert_eq!(*counted, self.model.services.get(service).copied().unwrap_or(0), "service {service}");
        }
        assert_eq!(all + services.values().sum::<u64>(), self.model.all);
    }
}

/// Configurations whose servers fit in [`CAPACITIES`].
fn configs() -> impl Strategy<Value = Vec<(Config, Vec<(bool, usize)>)>> {
    vec((testing::config(), vec((any::<bool>(), 0..1_000_usize), 0..20)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// No packet is lost or counted twice, even if programs that use the previous half go on counting.
    #[test]
    fn counters_add_up(configs in configs()) {
        let mut world = World::new();
        for (config, packets) in configs {
            world.publish(config);
            for (late, pick) in packets {
                world.packet(late, pick);
                world.check();
            }
        }
    }

    /// Every slot leads to a server that is up, by its MAC and its counter.
    #[test]
    fn slots_name_servers(config in testing::config()) {
        let placed = placed(config);
        let layout = lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap();
        let counters: HashSet<_> = layout.servers.iter().map(|server| server.counter).collect();
        prop_assert_eq!(counters.len(), layout.servers.len(), "two servers share a counter");
        for ((service, rule), record) in placed.config.services.iter().zip(&placed.peers).zip(&layout.services) {
            let table = SlotTable::build(service);
            prop_assert_eq!(record.slots, table.len());
            for (slot, server) in (record.first_slot..).zip(table.iter().flatten()) {
                let slot = layout.slots[slot as usize];
                let found = &layout.servers[(record.first_server + u32::from(server)) as usize];
                let next_hop = layout.next_hops.iter().find(|(counter, _)| *counter == found.counter).map(|(_, next_hop)| *next_hop);
                let destination = if slot.is_indirect() { next_hop.map(|next_hop| next_hop.destination) } else { Some(slot.mac().0) };
                prop_assert_eq!(destination, Some(found.mac));
                prop_assert_eq!(slot.is_indirect(), found.vlan != NextHop::KEEP || !rule.macs.is_empty());
                prop_assert_eq!(next_hop.map_or(NextHop::KEEP, |next_hop| next_hop.vlan), found.vlan);
                prop_assert_eq!(record.first_counter + u32::from(slot.counter()), found.counter);
                prop_assert_eq!(found.up, 1);
            }
        }
    }
}

fn config_of(servers: usize) -> Config {
    let mut service =
        crate::config::file::parse("[[service]]\nname = \"web\"\naddress = \"fd00::1\"").unwrap().services.remove(0);
    service.servers = (0..servers)
        .map(|number| Server {
            address: std::net::Ipv6Addr::from_bits(0xfd99 << 112 | number as u128).into(),
            mac: ServerMac::Given(Mac([2, 0, 0, 0, 0, 1])),
            vlan: None,
            weight: 1,
            state: State::Up,
            health: Health::default(),
        })
        .collect();
    Config { services: vec![service], ..Config::default() }
}

/// A service with the most possible servers, all of them replaced again and again.
#[test]
fn the_most_servers_fit() {
    let capacities = Capacities { services: 1, slots: 65_536, servers: 65_536 };
    assert_eq!(capacities.counters(), COUNTERS_PER_SERVER * 65_536);
    let placed = placed(config_of(65_536));
    let mut have = Snapshot::default();
    for _ in 0..3 {
        let layout = lay_out(&placed, &have, &vec![Counter::default(); have.draining.len()], &capacities).unwrap();
        assert_eq!((layout.servers.len(), layout.slots.len()), (65_536, 65_536));
        have = published(&placed, &have, &layout);
        let empty = Placed::default();
        let layout = lay_out(&empty, &have, &vec![Counter::default(); have.draining.len()], &capacities).unwrap();
        assert_eq!(layout.draining.len(), 65_536);
        have = published(&empty, &have, &layout);
    }
}

/// A server that is up must have a MAC, unless it is this host.
#[test]
fn a_missing_mac_is_an_error_where_frames_are_sent() {
    let mut config = config_of(1);
    config.services[0].servers[0].mac = ServerMac::Unresolved;
    let lay_out = |config: &Config, location| {
        let placed = Placed::new(config.clone(), vec![vec![location]], Vec::new());
        lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES)
    };
    assert!(matches!(lay_out(&config, Location::SamePort), Err(Error::NoMac { .. })));
    assert!(matches!(
        lay_out(&config, Location::ViaNextHop { interface: 3, source: Mac::ZERO }),
        Err(Error::NoMac { .. })
    ));
    let layout = lay_out(&config, Location::Local).unwrap();
    assert_eq!(layout.next_hops, [(0, NextHop { vlan: NextHop::KEEP, ..NextHop::default() })]);
    assert!(layout.slots[0].is_indirect());
    config.services[0].servers[0].state = State::Down;
    assert!(lay_out(&config, Location::SamePort).is_ok());
}

/// A server's location and its frames' VLAN tag are independent.
#[test]
fn vlans_and_locations_combine() {
    use crate::config::model::Vlan;

    let mut config = config_of(1);
    let source = Mac([2, 0, 0, 0, 1, 1]);
    let via_next_hop = Location::ViaNextHop { interface: 3, source };
    for (vlan, location, interface, number, source) in [
        (Some(Vlan::Tagged(20)), Location::SamePort, NextHop::SAME_PORT, 20, Mac::ZERO),
        (Some(Vlan::Untagged), Location::SamePort, NextHop::SAME_PORT, NextHop::UNTAGGED, Mac::ZERO),
        (Some(Vlan::Tagged(4_094)), via_next_hop, 3, 4_094, source),
        (Some(Vlan::Tagged(1)), Location::Local, NextHop::LOCAL, 1, Mac::ZERO),
    ] {
        config.services[0].servers[0].vlan = vlan;
        let placed = Placed::new(config.clone(), vec![vec![location]], Vec::new());
        let layout = lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap();
        let next_hop = NextHop { interface, vlan: number, destination: [2, 0, 0, 0, 0, 1], source: source.0, ring: 0 };
        assert_eq!(layout.next_hops, [(0, next_hop)], "{vlan:?}, {location:?}");
        assert!(layout.slots[0].is_indirect());
        assert_eq!(layout.servers[0].vlan, number);
    }
    // A server on the same port and VLAN needs only a slot.
    config.services[0].servers[0].vlan = None;
    let placed = Placed::new(config, vec![vec![Location::SamePort]], Vec::new());
    let layout = lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap();
    assert!(layout.next_hops.is_empty() && !layout.slots[0].is_indirect());
}

/// The cells of services, which have slots or at least a place for them.
fn cells_of(layout: &Layout) -> Vec<ServiceCell> {
    let services = layout.cells.iter().filter(|cell| cell.tag != 0 && cell.tag != lb_common::key::PEER_TAG);
    services.copied().collect()
}

/// Every key in the table that names a peer.
fn peers_of(layout: &Layout) -> Vec<[u64; 2]> {
    let peers = layout.cells.iter().filter(|cell| cell.tag == lb_common::key::PEER_TAG);
    let mut peers: Vec<_> = peers.map(|cell| cell.address).collect();
    peers.sort_unstable();
    peers
}

/// Servers of this host's services, and configured peers, are peers of the service: every packet of it takes the
/// general path, which asks who sent it.
#[test]
fn a_service_with_peers_has_only_indirect_slots() {
    let mut config = config_of(3);
    for (number, server) in (1..).zip(&mut config.services[0].servers) {
        server.mac = ServerMac::Given(Mac([2, 0, 0, 0, 0, number]));
    }
    let lay_out = |config: &Config, locations: &[Location]| {
        let placed = Placed::new(config.clone(), vec![locations.to_vec()], Vec::new());
        lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap()
    };
    let (there, here) = (Location::SamePort, Location::Local);
    let key = |number| lb_common::key::peer(Mac([2, 0, 0, 0, 0, number]).wide(), 0);

    let layout = lay_out(&config, &[there; 3]);
    assert!(layout.slots.iter().all(|slot| !slot.is_indirect()) && peers_of(&layout).is_empty());
    assert_eq!(cells_of(&layout)[0].flags & ServiceCell::PEERS, 0);

    // One is down; it may think otherwise.
    config.services[0].servers[2].state = State::Down;
    let layout = lay_out(&config, &[there, here, there]);
    assert!(layout.slots.iter().all(|slot| slot.is_indirect()));
    assert_eq!(peers_of(&layout), [key(1), key(3)]);
    let cell = cells_of(&layout)[0];
    assert_eq!((cell.flags & ServiceCell::PEERS, cell.here), (ServiceCell::PEERS, 1));
    let same_port = NextHop {
        interface: NextHop::SAME_PORT,
        vlan: NextHop::KEEP,
        destination: [2, 0, 0, 0, 0, 1],
        ..NextHop::default()
    };
    assert_eq!(layout.next_hops[0], (0, same_port));

    let peer = "10.0.0.2".parse().unwrap();
    config.peers = vec![Peer { address: peer, mac: PeerMac::Resolved(Mac([2, 0, 0, 0, 0, 9])) }];
    let layout = lay_out(&config, &[there; 3]);
    assert!(layout.slots.iter().all(|slot| slot.is_indirect()));
    assert_eq!((peers_of(&layout), cells_of(&layout)[0].here), (vec![key(9)], ServiceCell::NOT_HERE));
    assert_eq!(peers_of(&lay_out(&config, &[here, there, there])), [key(2), key(3), key(9)]);

    config.peers[0].mac = PeerMac::ThisHost;
    assert!(lay_out(&config, &[there; 3]).slots.iter().all(|slot| !slot.is_indirect()));
}
