use proptest::prelude::*;

use super::*;
use crate::{
    config::{
        model::{ByHand, Config, Failing, Failure, Health, Missing, PreviousServer, Unresolved},
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
        Just(Failure::Body),
        Just(Failure::NotChecked),
        Just(Failure::Other),
    ];
    let failing = (any::<u64>(), why).prop_map(|(since, why)| Failing { since, why });
    let missing = prop_oneof![
        Just(Missing::NoAnswer),
        Just(Missing::NoRoute),
        Just(Missing::Router),
        Just(Missing::NotAttached),
        Just(Missing::LinkDown),
        Just(Missing::SmallMtu),
        Just(Missing::NoRedirect),
        Just(Missing::OwnMac),
    ];
    let unresolved = (any::<u64>(), missing, any::<u32>()).prop_map(|(since, why, on)| Unresolved { since, why, on });
    let by_hand = prop_oneof![Just(ByHand::NextFile), (2..u32::MAX).prop_map(ByHand::Until), Just(ByHand::ServerUp),];
    let option = proptest::option::of::<BoxedStrategy<ByHand>>;
    (any::<u32>(), option(by_hand.boxed()), proptest::option::of(failing), proptest::option::of(unresolved)).prop_map(
        |(since, by_hand, failing, unresolved)| Health { down_since: since.into(), by_hand, failing, unresolved },
    )
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
        let (records, count) = peer_records(&config.peers);
        prop_assert_eq!(peers(&records, count), config.peers);
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
            let previous: Vec<_> = previous_records(&service.previous).collect();
            prop_assert_eq!(self::service(&record, &records, &previous), service);
        }
    }
}

#[test]
fn the_most_lists_read_back() {
    let mut service = testing::plain("web", std::net::IpAddr::from([203, 0, 113, 10]).into());
    let server = |last| PreviousServer { address: [10, 0, 0, last].into(), mac: None, weight: 1, idle: last == 3 };
    service.previous = (1..=8).map(|length| (0..length).map(server).collect()).collect();
    let previous: Vec<_> = previous_records(&service.previous).collect();
    assert_eq!(previous.len(), 36);
    assert_eq!(self::service(&service_record(&service), &[], &previous), service);
}

/// A record of a modlb that did not know how long a server stays down.
#[test]
fn an_older_record_of_a_server_that_is_down_reads_as_before() {
    let record = lb_common::record::ServerRecord {
        reasons: lb_common::record::ServerRecord::DOWN,
        down_since: 1_800_000_000,
        ..Default::default()
    };
    let health = super::server::server(&record, 4).health;
    assert_eq!(health, Health { down_since: 1_800_000_000, ..Health::default() });
}

#[test]
fn a_number_stands_for_one_value_or_none() {
    for number in 0..=u8::MAX {
        assert_reads_back(number);
    }
    assert_eq!(role(4), None);
}

fn assert_reads_back(number: u8) {
    use super::numbers::{
        direction, direction_number, formula, formula_number, initial, initial_number, kind, kind_number, method,
        method_number,
    };
    assert!(formula(number).is_none_or(|value| formula_number(value) == number));
    assert!(direction(number).is_none_or(|value| direction_number(value) == number));
    assert!(method(number).is_none_or(|value| method_number(value) == number));
    assert!(initial(number).is_none_or(|value| initial_number(value) == number));
    assert!(kind(number).is_none_or(|value| kind_number(value) == number));
    assert!(role(number.into()).is_none_or(|value| role_number(value) == u32::from(number)));
}
