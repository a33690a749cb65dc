use std::net::IpAddr;

use super::*;
use crate::{
    config::standing::Standing,
    output::counters::{OutcomesView, ServerStats},
};

fn traffic(packets: u64) -> Traffic {
    Traffic { packets, bytes: packets * 100 }
}

fn address(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn service(name: &str, servers: &[(u8, u64)]) -> ServiceStats {
    ServiceStats {
        name: name.into(),
        total: traffic(servers.iter().map(|(_, packets)| packets).sum()),
        servers: servers
            .iter()
            .map(|&(last, packets)| ServerStats { address: address(last), total: traffic(packets) })
            .collect(),
        taken_last: None,
    }
}

fn stats(forwarded: u64, services: Vec<ServiceStats>) -> StatsView {
    let outcomes = OutcomesView::new(|outcome| match outcome == Outcome::Forwarded {
        true => traffic(forwarded),
        false => Traffic::default(),
    });
    StatsView { outcomes, services }
}

fn packets(rates: &ServiceRates) -> Vec<f64> {
    rates.servers.iter().map(|rate| rate.packets).collect()
}

#[test]
fn services_and_servers_are_found_after_reordering() {
    let before = stats(10, vec![service("web", &[(11, 4), (12, 6)]), service("dns", &[(11, 100)])]);
    let now = stats(
        60,
        vec![service("new", &[(11, 20)]), service("dns", &[(11, 140)]), service("web", &[(13, 2), (12, 26), (11, 14)])],
    );
    let rates = Rates::between(&before, &now, 2.0);
    assert_eq!(rates.outcome(Outcome::Forwarded), Rate { packets: 25.0, bytes: 2_500.0 });
    assert_eq!(rates.outcome(Outcome::Local), Rate::default());
    assert_eq!(packets(&rates.services[0]), [10.0], "what was not there had counted nothing");
    assert_eq!(packets(&rates.services[1]), [20.0]);
    assert_eq!(packets(&rates.services[2]), [1.0, 10.0, 5.0]);
    assert_eq!(rates.services[2].total.packets, 16.0);
}

#[test]
fn decreasing_counters_and_zero_time_give_no_rate() {
    let (more, less) = (stats(9, vec![service("web", &[(11, 9)])]), stats(5, vec![service("web", &[(11, 5)])]));
    let rates = Rates::between(&more, &less, 1.0);
    assert_eq!((rates.outcome(Outcome::Forwarded).packets, packets(&rates.services[0])), (0.0, vec![0.0]));
    assert_eq!(Rates::between(&less, &more, 0.0).outcome(Outcome::Forwarded).packets, 0.0);
}

#[test]
fn imbalance_counts_weights_and_only_servers_that_are_up() {
    let server = |last, weight, state| ServerView {
        address: address(last),
        mac: None,
        vlan: None,
        weight,
        state,
        since: None,
        reason: None,
        by_hand: None,
        until: None,
    };
    let rates = |rates: &[f64]| ServiceRates {
        total: Rate::default(),
        servers: rates.iter().map(|&packets| Rate { packets, bytes: 0.0 }).collect(),
        taken_last: Rate::default(),
    };
    let even = [server(11, 1, Standing::Up), server(12, 1, Standing::Up)];
    assert_eq!(rates(&[5.0, 5.0]).imbalance(&even), Some(1.0));
    assert_eq!(rates(&[30.0, 10.0]).imbalance(&even), Some(1.5));
    assert_eq!(rates(&[0.0, 0.0]).imbalance(&even), None);
    let weighted = [
        server(11, 3, Standing::Up),
        server(12, 1, Standing::Up),
        server(13, 1, Standing::Down { since: 0, by_hand: None }),
    ];
    assert_eq!(rates(&[30.0, 10.0, 0.0]).imbalance(&weighted), Some(1.0));
    assert_eq!(rates(&[]).imbalance(&[]), None);
}

#[test]
fn numbers_have_three_digits_and_a_prefix() {
    assert_eq!([0.0, 0.5, 12.5, 499.0].map(scaled), ["0", "0.50", "12.5", "499"]);
    assert_eq!([999.5, 1_000_000.0, 9.9e18].map(scaled), ["1.00k", "1.00M", "9900000000G"]);
}
