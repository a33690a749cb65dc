//! What role `keep` finds in the map of slots.

use lb_common::keep::Directory;

use super::*;
use crate::{config::model::Role, decide::keep::ring::hash};

/// This host's hash in the ring of a service with these servers.
fn own_hash(service: &str, servers: &[&str], names: &[&str]) -> u32 {
    let parse = |addresses: &[&str]| -> Vec<IpAddr> { addresses.iter().map(|it| it.parse().unwrap()).collect() };
    let mut config = config_of(servers.len());
    config.role = Role::Keep;
    config.services[0].address = service.parse::<IpAddr>().unwrap().into();
    let addressed = config.services[0].servers.iter_mut().zip(parse(servers));
    addressed.for_each(|(server, address)| server.address = address);
    let locations = vec![Location::SamePort; servers.len()];
    let placed = Placed { names: parse(names), ..Placed::new(config, vec![locations], Vec::new()) };
    let layout = lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap();
    let first = (Snapshot::default().control.half() ^ 1) * CAPACITIES.slots;
    Directory::unpack(layout.slots[(cells_of(&layout)[0].directory - first) as usize].0).own
}

/// A host whose file does not name it yet stands where files that do name it place it.
#[test]
fn a_host_that_is_not_listed_has_its_place_in_the_ring() {
    let hash = |address: &str| hash(address.parse().unwrap());
    let four = ("203.0.113.10", &["10.0.0.11", "10.0.0.12"][..]);
    let six = ("2001:db8:f00::10", &["fd00::b", "fd00::c"][..]);
    for names in [
        &["10.0.0.14", "127.0.0.1", "192.0.2.1", "203.0.113.10", "::1", "2001:db8:f00::10", "fd00::e"][..],
        &["fd00::e", "10.0.0.14"],
    ] {
        assert_eq!(own_hash(four.0, four.1, names), hash("10.0.0.14"));
        assert_eq!(own_hash(six.0, six.1, names), hash("fd00::e"));
    }
    assert_eq!(own_hash(four.0, four.1, &["fd00::e", "203.0.113.10"]), 0);
}
