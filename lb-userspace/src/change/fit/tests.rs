use lb_common::table::Counter;

use super::*;
use crate::{
    config::{
        file,
        model::{Config, State},
    },
    datapath::{Location, store::totals::ServiceTotals},
    decide::demand::demand,
};

/// This many services on the servers 10.0.0.1 to 10.0.0.4.
fn config(services: u8) -> Config {
    let servers: String =
        (1..=4).map(|number| format!("[[service.server]]\naddress = \"10.0.0.{number}\"\n")).collect();
    let service = |number| format!("[[service]]\nname = \"s{number}\"\naddress = \"203.0.113.{number}\"\n{servers}");
    file::parse(&(0..services).map(service).collect::<String>()).unwrap()
}

fn placed(config: Config) -> Placed {
    let locations = config.services.iter().map(|service| vec![Location::SamePort; service.servers.len()]).collect();
    Placed::new(config, locations, Vec::new())
}

/// What is in force, and the counters of servers that counted `packets` each, by service.
fn running(config: &Config, packets: &[u64]) -> (Snapshot, Totals) {
    let placed = placed(config.clone());
    let have = Snapshot { config: placed.config, locations: placed.locations, ..Snapshot::default() };
    let services = packets.iter().map(|packets| ServiceTotals {
        total: Counter::default(),
        servers: vec![Counter { packets: *packets, bytes: 0 }; 4],
        taken_last: None,
    });
    let totals = Totals { snapshot: have.clone(), outcomes: Vec::new(), services: services.collect() };
    (have, totals)
}

/// What is left out if there is room for so many slots: service and server.
fn left_out(have: &Snapshot, want: &Placed, totals: &Totals, room: u64) -> Vec<(usize, usize)> {
    let now = placed(have.config.clone());
    let fits = |placed: &Placed| demand(&placed.config).now.least <= room;
    let mut choice = Choice { fits, placed: now, tries: TRIES };
    let mut left = choice.take_all(want, &groups(have, want, totals));
    assert!(demand(&choice.placed.config).now.least <= room);
    left.sort_unstable();
    left.into_iter().map(|place| (place.service, place.server)).collect()
}

#[test]
fn what_saves_most_flows_comes_first() {
    let before = config(4);
    let (have, totals) = running(&before, &[10, 40, 20, 30]);
    let mut want = placed(before);
    for (number, service) in want.config.services.iter_mut().enumerate() {
        service.servers[number].state = State::Down;
    }
    assert_eq!(left_out(&have, &want, &totals, 16), []);
    // Each server down makes a table of four slots, besides the one of those that are left out.
    assert_eq!(left_out(&have, &want, &totals, 12), [(0, 0), (2, 2)]);
    assert_eq!(left_out(&have, &want, &totals, 8), [(0, 0), (2, 2), (3, 3)]);
    assert_eq!(left_out(&have, &want, &totals, 4), [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[test]
fn a_server_goes_down_in_all_services_that_share_it() {
    let before = config(100);
    let (have, totals) = running(&before, &[1; 100]);
    let mut want = placed(before);
    want.config.services.iter_mut().for_each(|service| service.servers[1].state = State::Down);
    want.config.services[7].servers[2].state = State::Down;
    assert_eq!(left_out(&have, &want, &totals, 8), []);
    assert_eq!(left_out(&have, &want, &totals, 7), [(7, 2)]);
}

/// Where a server's change is all that does not fit, other changes of the same service do.
#[test]
fn one_change_of_a_service_does_not_keep_another_back() {
    let mut before = config(3);
    before.services[0].servers[1].state = State::Down;
    let (have, totals) = running(&before, &[1; 3]);
    let mut want = placed(before);
    want.config.services[1].servers[2].state = State::Down;
    for service in &mut want.config.services {
        service.servers[0].mac = crate::config::model::ServerMac::Given(lb_common::mac::Mac([2, 0, 0, 0, 0, 1]));
    }
    assert_eq!(left_out(&have, &want, &totals, 11), [(1, 2)]);
}

/// Here a table is free only after a later change.
#[test]
fn what_a_later_change_makes_room_for_is_taken_too() {
    let mut before = config(3);
    before.services[2].servers[3].state = State::Down;
    let (have, totals) = running(&before, &[5, 1, 1]);
    let mut want = placed(before);
    want.config.services[0].servers[0].state = State::Down;
    want.config.services[2].servers[3].state = State::Up;
    assert_eq!(left_out(&have, &want, &totals, 8), []);
}

#[test]
fn without_traffic_the_larger_share_comes_first() {
    let mut before = config(3);
    before.services[2].servers[0].weight = 3;
    let (have, totals) = running(&before, &[0, 0, 0]);
    let mut want = placed(before);
    want.config.services[0].servers[1].state = State::Down;
    want.config.services[2].servers[0].state = State::Down;
    let place = |service, server| Place { service, server };
    assert_eq!(groups(&have, &want, &totals), [vec![place(2, 0)], vec![place(0, 1)]]);
}
