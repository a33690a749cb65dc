//! Equal tables are stored once, and tables are coarser where there is no room.

use lb_common::limits::{DEFAULT_SERVERS, DEFAULT_SERVICES, DEFAULT_SLOTS};

use super::*;
use crate::{
    config::model::{Selection, Vlan},
    decide::slots::Refinement,
};

const ROOM: Capacities = Capacities { services: 8_192, slots: DEFAULT_SLOTS, servers: 400_000 };

/// Services with the same servers, at addresses of their own.
fn pool(services: usize, servers: usize) -> Config {
    let mut config = config_of(servers);
    let one = config.services.remove(0);
    config.services = (0..services)
        .map(|number| Service {
            name: format!("s{number}"),
            address: IpAddr::from(std::net::Ipv6Addr::from_bits(0xfd00 << 112 | number as u128)).into(),
            ..one.clone()
        })
        .collect();
    config
}

fn take_down(config: &mut Config, server: usize) {
    config.services.iter_mut().for_each(|service| service.servers[server].state = State::Down);
}

fn slots(config: &Config, capacities: &Capacities) -> Result<Layout> {
    lay_out(&placed(config.clone()), &Snapshot::default(), &[], capacities)
}

#[test]
fn a_server_of_a_hundred_services_can_go_down_and_the_next_one_too() {
    let capacities = Capacities { services: DEFAULT_SERVICES, slots: DEFAULT_SLOTS, servers: DEFAULT_SERVERS };
    for server in 0..10 {
        let mut config = pool(100, 10);
        take_down(&mut config, server);
        let layout = slots(&config, &capacities).unwrap();
        assert_eq!(layout.record.slots, 4_100, "server {server}");
        assert!(layout.services.iter().all(|service| service.first_slot == 0 && service.slots == 4_100));
        assert_eq!(layout.record.refined_slots, Refinement::default().slots());
    }
}

#[test]
fn four_thousand_services_of_fifty_servers_need_one_table() {
    let mut config = pool(4_000, 50);
    assert_eq!(slots(&config, &ROOM).unwrap().record.slots, 50);
    take_down(&mut config, 7);
    let layout = slots(&config, &ROOM).unwrap();
    assert_eq!(layout.record.slots, 4_100);
    let digest = SlotTable::build(&config.services[0]).digest(&config.services[0]).0;
    assert!(layout.services.iter().all(|service| service.digest == digest));
}

/// Each of these makes another table, or other slots.
#[test]
fn unequal_tables_are_not_shared() {
    let mut config = pool(10, 3);
    config.services[1].servers[2].weight = 2;
    config.services[2].servers.swap(0, 1);
    config.services[3].servers[0].vlan = Some(Vlan::Tagged(20));
    config.services[4].servers[1].mac = ServerMac::Given(Mac([2, 0, 0, 0, 0, 7]));
    config.services[5].selection = Selection::Resilient { slots: 7 };
    config.services[6].servers[1].state = State::Down;
    config.services[7].servers.remove(2);
    config.services[8].selection = Selection::Resilient { slots: 11 };
    let layout = slots(&config, &ROOM).unwrap();
    let firsts: BTreeMap<_, _> = layout.services.iter().map(|service| (service.first_slot, service.slots)).collect();
    assert_eq!(firsts.len(), 9, "{firsts:?}");
    assert_eq!(layout.services[9].first_slot, layout.services[0].first_slot);
    assert_eq!(layout.slots.len() as u32, firsts.values().sum::<u32>());
    for (service, record) in config.services.iter().zip(&layout.services) {
        assert_eq!(record.digest, SlotTable::build(service).digest(service).0, "{}", service.name);
    }
}

/// A slot does not say what a server's location is, if a service has its own entry for that.
#[test]
fn services_share_slots_of_servers_behind_other_interfaces() {
    let config = pool(20, 4);
    let mut placed = placed(config);
    let via = Location::ViaNextHop { interface: 3, source: Mac([2, 0, 0, 0, 1, 1]) };
    placed.locations.iter_mut().for_each(|locations| locations[1] = via);
    let layout = lay_out(&placed, &Snapshot::default(), &[], &ROOM).unwrap();
    assert_eq!((layout.slots.len(), layout.next_hops.len()), (4, 20));
    // In one service it is on the same link: other slots.
    placed.locations[5][1] = Location::SamePort;
    let layout = lay_out(&placed, &Snapshot::default(), &[], &ROOM).unwrap();
    assert_eq!((layout.slots.len(), layout.next_hops.len()), (8, 19));
}

/// Servers that are down do not need the same MAC to be ignored.
#[test]
fn what_is_known_of_a_server_that_is_down_does_not_matter() {
    let mut config = pool(2, 3);
    take_down(&mut config, 1);
    config.services[1].servers[1].mac = ServerMac::Given(Mac([2, 0, 0, 0, 0, 9]));
    assert_eq!(slots(&config, &ROOM).unwrap().record.slots, 4_098);
}

/// Services share slots whatever was changed before, and their counters are in the order of their slots again.
#[test]
fn services_share_slots_after_servers_were_removed_and_added() {
    let all = pool(50, 12);
    let (mut fewer, mut turned) = (all.clone(), all.clone());
    for service in &mut fewer.services {
        service.servers.remove(4);
    }
    turned.services.iter_mut().for_each(|service| service.servers.rotate_left(5));
    let mut have = Snapshot::default();
    for (step, config) in [&all, &fewer, &all, &turned, &turned, &fewer, &all].into_iter().enumerate() {
        let placed = placed(config.clone());
        let settled = vec![Counter::default(); have.draining.len()];
        let layout = lay_out(&placed, &have, &settled, &ROOM).unwrap();
        assert_eq!(layout.slots.len(), config.services[0].servers.len(), "step {step}");
        let cells = layout.cells.iter().filter(|cell| cell.slots != 0);
        assert!(cells.clone().all(|cell| cell.flags & ServiceCell::IN_ORDER != 0), "step {step}");
        have = published(&placed, &have, &layout);
    }
}

/// Where there is no block of counters, servers have counters nevertheless.
#[test]
fn counters_that_lie_apart_are_used_if_no_block_is_free() {
    let capacities = Capacities { services: 8, slots: 1_000, servers: 10 };
    let one = |servers: &[std::ops::Range<usize>]| {
        let mut config = pool(servers.len(), 20);
        for (service, range) in config.services.iter_mut().zip(servers) {
            service.servers = service.servers[range.clone()].to_vec();
        }
        config
    };
    let mut have = Snapshot::default();
    for ranges in [
        [0..2, 0..2, 0..2, 0..2, 0..2],
        [0..2, 0..2, 0..3, 0..1, 0..2],
        [0..2, 0..0, 0..5, 0..1, 0..2],
        [0..0, 0..0, 0..9, 0..1, 0..0],
        [0..0, 0..0, 1..10, 0..1, 0..0],
        [0..0, 0..0, 2..11, 0..1, 0..0],
        [0..3, 0..3, 0..0, 0..1, 0..3],
    ] {
        let placed = placed(one(&ranges));
        let settled = vec![Counter::default(); have.draining.len()];
        let layout = lay_out(&placed, &have, &settled, &capacities).unwrap();
        let counters: HashSet<_> = layout.servers.iter().map(|server| server.counter).collect();
        assert_eq!(counters.len(), layout.servers.len(), "{ranges:?}");
        have = published(&placed, &have, &layout);
    }
}

/// In a full instance, a service that moved without need would leave no window for one that must.
#[test]
fn a_full_instance_has_counters_for_every_change() {
    let capacities = Capacities { services: 2, slots: 65_536, servers: 43_690 };
    let config = |round: usize| {
        let mut config = pool(2, 0);
        let all = config_of(200_000).services.remove(0).servers;
        config.services[0].servers = [&all[..21_999], &all[22_000 + round..=22_000 + round]].concat();
        config.services[1].servers = all[30_000 + round * 21_690..][..21_690].to_vec();
        config
    };
    let mut have = Snapshot::default();
    for round in 0..6 {
        let placed = placed(config(round));
        let settled = vec![Counter::default(); have.draining.len()];
        let layout = lay_out(&placed, &have, &settled, &capacities).unwrap();
        let counters: HashSet<_> = layout.servers.iter().map(|server| server.counter).collect();
        assert_eq!(counters.len(), 43_690, "round {round}");
        have = published(&placed, &have, &layout);
    }
}

/// Tables that cannot be shared are coarser, all alike, as far as needed; flows of servers that are up stay.
#[test]
fn tables_are_coarser_where_there_is_no_room() {
    let mut config = pool(10, 8);
    for (number, service) in config.services.iter_mut().enumerate() {
        service.servers[0].weight = number as u32 + 1;
        service.servers[3].state = State::Down;
    }
    let usual = slots(&config, &ROOM).unwrap();
    assert!(usual.record.slots > 40_960);
    for room in [usual.record.slots - 1, 10_000, 200, 125] {
        let layout = slots(&config, &Capacities { slots: room, ..ROOM }).unwrap();
        assert!(layout.record.slots <= room);
        let refinement = Refinement::from_slots(layout.record.refined_slots);
        assert!(refinement < Refinement::default());
        for (service, record) in config.services.iter().zip(&layout.services) {
            let (coarse, usual) = (SlotTable::refined(service, refinement), SlotTable::build(service));
            assert_eq!((record.slots, record.digest), (coarse.len(), coarse.digest(service).0));
            let stay = (0..usual.len()).filter(|slot| slot % service.n() != service.servers[0].weight + 2);
            for slot in stay {
                assert_eq!(usual.get(slot), coarse.get(slot % coarse.len()), "slot {slot} of {room}");
            }
        }
    }
    let error = slots(&config, &Capacities { slots: 124, ..ROOM }).unwrap_err();
    assert!(matches!(error, Error::Capacity { what: "slots", needed: 125, capacity: 124, .. }), "{error}");
}
