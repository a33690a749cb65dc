use proptest::prelude::*;

use super::*;
use crate::{
    config::{
        model::{Config, Failing, Failure, Health, Missing, Unresolved},
        testing,
    },
    datapath::place::Location,
};

/// Any findings about a server.
fn health() -> impl Strategy<Value = Health> {
    let why = prop_oneof![
        Just(Failure::Timeout),
        Just(Failure::Refused),
        Just(Failure::Unreachable),
        any::<u16>().prop_map(Failure::Status),
        Just(Failure::Tls),
        Just(Failure::Other),
    ];
    let failing = (any::<u64>(), why).prop_map(|(since, why)| Failing { since, why });
    let missing = prop_oneof![
        Just(Missing::NoAnswer),
        Just(Missing::NoRoute),
        Just(Missing::Router),
        Just(Missing::NotAttached),
    ];
    let unresolved = (any::<u64>(), missing, any::<u32>()).prop_map(|(since, why, on)| Unresolved { since, why, on });
    (any::<u64>(), proptest::option::of(failing), proptest::option::of(unresolved))
        .prop_map(|(down_since, failing, unresolved)| Health { down_since, failing, unresolved })
}

fn locations() -> impl Strategy<Value = Location> {
    prop_oneof![
        Just(Location::SamePort),
        Just(Location::Local),
        (1..1_000_u32, any::<[u8; 6]>())
            .prop_map(|(interface, mac)| Location::ViaNextHop { interface, source: lb_common::mac::Mac(mac) }),
    ]
}

/// Configurations, with findings and a location for each server.
fn everything() -> impl Strategy<Value = (Config, Vec<(Health, Location, bool)>)> {
    testing::config().prop_flat_map(|config| {
        let servers = config.services.iter().map(|service| service.servers.len()).sum::<usize>();
        (Just(config), proptest::collection::vec((health(), locations(), any::<bool>()), servers))
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back((config, mut found) in everything()) {
        prop_assert_eq!(&group(&group_record(&config.group)), &config.group);
        for mut service in config.services {
            let mut records = Vec::new();
            for server in &mut service.servers {
                let (health, location, takes) = found.pop().unwrap();
                server.health = health;
                let record = server_record(server, takes, location, 7);
                prop_assert_eq!(Location::from_number(record.location, || location.source()), location);
                prop_assert_eq!((record.up == 1, record.counter), (takes, 7));
                records.push(record);
            }
            let record = service_record(&service);
            prop_assert_eq!(self::service(&record, &records), service);
        }
    }
}

#[test]
fn a_number_stands_for_one_value_or_none() {
    for number in 0..=u8::MAX {
        assert_reads_back(number);
    }
    assert_eq!(role(3), None);
}

fn assert_reads_back(number: u8) {
    use super::numbers::{direction, direction_number, formula, formula_number, kind, kind_number};
    assert!(formula(number).is_none_or(|value| formula_number(value) == number));
    assert!(direction(number).is_none_or(|value| direction_number(value) == number));
    assert!(kind(number).is_none_or(|value| kind_number(value) == number));
    assert!(role(number.into()).is_none_or(|value| role_number(value) == u32::from(number)));
}
