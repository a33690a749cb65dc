use super::*;
use crate::config::model::Vlan;

const SOURCE: Mac = Mac([2, 0, 0, 0, 1, 1]);

const fn behind(interface: u32) -> Location {
    Location::ViaNextHop { interface, source: SOURCE }
}

fn lay_out(config: &Config, locations: &[Location]) -> Layout {
    let placed = Placed::new(config.clone(), vec![locations.to_vec()], Vec::new());
    super::lay_out(&placed, &Snapshot::default(), &[], &CAPACITIES).unwrap()
}

fn exit_of(layout: &Layout) -> Option<Exit> {
    cells_of(layout)[0].exit()
}

#[test]
fn the_cell_of_a_service_names_the_interface_that_all_its_servers_are_behind() {
    let layout = lay_out(&config_of(3), &[behind(3); 3]);
    assert_eq!(exit_of(&layout), Some(Exit { interface: 3, source: SOURCE.wide() }));
    assert!(layout.next_hops.is_empty());
    for (slot, counter) in layout.slots.iter().zip(0..) {
        assert!(slot.is_indirect());
        assert_eq!((Slot(slot.exit_mac()).mac(), slot.counter()), (Mac([2, 0, 0, 0, 0, 1]), counter));
    }
}

#[test]
fn a_server_that_takes_no_flows_may_be_elsewhere() {
    let mut config = config_of(3);
    config.services[0].servers[1].state = State::Down;
    let layout = lay_out(&config, &[behind(3), behind(4), behind(3)]);
    assert_eq!(exit_of(&layout).map(|exit| exit.interface), Some(3));
    config.services[0].servers[0].state = State::Down;
    config.services[0].servers[2].state = State::Down;
    assert_eq!(exit_of(&lay_out(&config, &[behind(3); 3])), None);
}

#[test]
fn each_server_is_described_by_itself_if_they_are_not_all_behind_one_interface() {
    let other_mac = Location::ViaNextHop { interface: 3, source: Mac([2, 0, 0, 0, 1, 2]) };
    for other in [behind(4), other_mac, Location::Local, Location::SamePort] {
        let layout = lay_out(&config_of(2), &[behind(3), other]);
        assert_eq!(exit_of(&layout), None, "{other:?}");
        assert_eq!(layout.next_hops[0].1.interface, 3);
        assert_eq!(layout.slots[0], Slot::indirect(0));
    }
    let mut config = config_of(2);
    config.services[0].servers[1].vlan = Some(Vlan::Tagged(20));
    let layout = lay_out(&config, &[behind(3); 2]);
    assert_eq!((exit_of(&layout), layout.next_hops.len()), (None, 2));
}

#[test]
fn a_service_with_peers_and_other_roles_have_no_exit() {
    let mut config = config_of(2);
    config.peers = vec![Peer { address: "10.0.0.2".parse().unwrap(), mac: PeerMac::Resolved(Mac([2, 0, 0, 0, 0, 9])) }];
    assert_eq!(exit_of(&lay_out(&config, &[behind(3); 2])), None);
    for role in [Role::Member, Role::Steer, Role::Keep] {
        let config = Config { role, ..config_of(2) };
        assert_eq!(exit_of(&lay_out(&config, &[behind(3); 2])), None, "{role:?}");
    }
}
