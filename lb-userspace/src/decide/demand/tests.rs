use proptest::prelude::*;

use super::*;
use crate::config::{file, testing};

/// Services `s0`, `s1`, … with these servers each: `10.0.0.` and the number.
fn config(services: &[&[u8]]) -> Config {
    let text = services.iter().enumerate().map(|(index, servers)| {
        let servers = servers.iter().map(|number| format!("[[service.server]]\naddress = \"10.0.0.{number}\"\n"));
        format!("[[service]]\nname = \"s{index}\"\naddress = \"203.0.113.{index}\"\n") + &servers.collect::<String>()
    });
    file::parse(&text.collect::<String>()).unwrap()
}

/// The slots of the different tables, found the long way.
fn slots(config: &Config) -> Slots {
    let tables: HashMap<u128, Slots> = config
        .services
        .iter()
        .map(|service| table(service, &service.takes_flows()))
        .map(|table| (table.id, table.slots))
        .collect();
    tables.values().fold(Slots::default(), |sum, slots| sum.plus(*slots))
}

#[test]
fn services_on_one_pool_need_one_table_after_any_failure() {
    let pool: Vec<u8> = (1..=10).collect();
    let demand = demand(&config(&[&pool[..]; 100]));
    assert_eq!(demand.now, Slots { usual: 10, least: 10 });
    let worst = demand.worst.unwrap();
    assert_eq!((worst.services, worst.slots), (100, Slots { usual: 4_100, least: 10 }));
    assert_eq!((demand.most(), demand.warning(4_100)), (4_100, None));
}

#[test]
fn a_server_that_unequal_services_share_is_the_worst_to_lose() {
    let demand = demand(&config(&[&[1, 9], &[2, 3, 9], &[3, 4, 5, 9], &[6, 7]]));
    let worst = demand.worst.unwrap();
    assert_eq!((worst.server, worst.services), ("10.0.0.9".parse().unwrap(), 3));
    assert_eq!(worst.slots, Slots { usual: 4_096 + 4_098 + 4_096 + 2, least: 11 });
    let coarser = demand.warning(1_000).unwrap();
    assert!(coarser.contains("10.0.0.9 goes down in its 3 services, 12292 slots are needed"), "{coarser}");
    assert!(coarser.contains("`--max-slots 12292`"), "{coarser}");
    let impossible = demand.warning(10).unwrap();
    assert!(impossible.contains("11 slots at least") && impossible.contains("`--max-slots 12292`"), "{impossible}");
}

#[test]
fn a_configuration_without_servers_cannot_fail() {
    assert_eq!(demand(&config(&[&[]])), Demand::default());
    assert_eq!(demand(&config(&[])), Demand::default());
}

#[test]
fn the_last_server_of_a_service_frees_its_slots() {
    let worst = demand(&config(&[&[1]])).worst.unwrap();
    assert_eq!((worst.services, worst.slots), (1, Slots::default()));
}

proptest! {
    /// The quick way counts what taking down each server in turn does.
    #[test]
    fn the_worst_failure_is_the_worst_of_all(config in testing::config()) {
        let demand = demand(&config);
        prop_assert_eq!(demand.now, slots(&config));
        let takes = |service: &Service, address| {
            service.servers.iter().zip(service.takes_flows()).any(|(server, takes)| server.address == address && takes)
        };
        let addresses: HashSet<IpAddr> = config
            .services
            .iter()
            .flat_map(|service| service.servers.iter().map(|server| server.address).filter(|a| takes(service, *a)))
            .collect();
        let after = addresses.into_iter().map(|address| {
            let mut config = config.clone();
            let servers = config.services.iter_mut().flat_map(|service| &mut service.servers);
            servers.filter(|server| server.address == address).for_each(|server| server.state = State::Down);
            slots(&config)
        });
        prop_assert_eq!(demand.worst.map(|worst| worst.slots), after.max());
    }
}
