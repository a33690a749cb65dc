use std::time::Instant;

use super::*;
use crate::{
    config::model::State::{self, Down, Up},
    observe::testing::{ServiceSpec, reading},
    output::Activity,
};

fn of(generation: u64, services: &[ServiceSpec<'_>]) -> Reading {
    Reading { generation, ..reading(Instant::now(), 0, services) }
}

fn texts(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.text.as_str()).collect()
}

const ONE: (State, u32, u64) = (Up, 1, 0);

#[test]
fn changes_of_servers_and_services_are_listed() {
    let before = of(1, &[("web", &[ONE, ONE, (Down, 1, 0)]), ("old", &[])]);
    let now = of(2, &[("new", &[]), ("web", &[(Down, 1, 9), ONE, ONE, (Down, 1, 0)])]);
    let changes = between(&before, &now);
    assert_eq!(
        texts(&changes),
        [
            "service new added",
            "web: 10.0.0.11 is down, was up",
            "web: 10.0.0.13 is up, was down",
            "web: 10.0.0.14 added, down",
            "service old removed"
        ]
    );
    assert_eq!((changes[1].level, changes[2].level), (Level::Warning, Level::Info));
    assert!(texts(&between(&now, &before)).contains(&"web: 10.0.0.14 removed"));
}

#[test]
fn traffic_and_unchanged_servers_are_not_reported() {
    let before = of(1, &[("web", &[ONE])]);
    assert_eq!(between(&before, &of(1, &[("web", &[(Up, 1, 77)])])), []);
    assert_eq!(between(&before, &of(2, &[("web", &[ONE])])), []);
}

#[test]
fn changes_of_activity_interfaces_and_digest_are_listed() {
    let before = of(1, &[]);
    let mut now = of(1, &[]);
    now.status.state = Activity::Standby;
    now.status.digest = "ff".into();
    now.status.interfaces[0].mode = "generic".into();
    assert_eq!(texts(&between(&before, &now)), ["now standby", "eth0: mode generic, was native", "digest ff"]);
    now.status.interfaces[0].index = 7;
    assert_eq!(texts(&between(&before, &now))[1..3], ["attached to eth0", "detached from eth0"]);
}

#[test]
fn many_changes_are_counted() {
    let many = vec![ONE; 100];
    let changes = between(&of(1, &[("web", &[])]), &of(2, &[("web", &many)]));
    assert_eq!((changes.len(), changes[10].text.as_str()), (11, "and 90 more changes of services and servers"));
}
