use std::time::Duration;

use lb_common::mac::Mac;

use super::*;
use crate::config::{
    file,
    model::{Config, ServerMac, State},
};

const BEFORE: &str = r#"
[[service]]
name = "web"
address = "203.0.113.10"

[[service.server]]
address = "10.0.0.11"

[[service.server]]
address = "10.0.0.12"
mac = "02:00:00:00:00:12"
state = "down"

[[service]]
name = "web6"
address = "2001:db8:f00::10"

[[service.server]]
address = "fd00::11"
"#;

/// Including found MACs, servers that are down, and MACs that are not known.
#[test]
fn the_former_configuration_reads_back() {
    let mut before = file::parse(BEFORE).unwrap();
    before.services[0].servers[0].mac = ServerMac::Resolved { mac: Mac([2, 0, 0, 0, 0, 0x11]), on: 0 };
    let pending = Pending::new(7, &before, Duration::from_secs(60));
    let text = serde_json::to_string(&pending).unwrap();
    let read: Pending = serde_json::from_str(&text).unwrap();
    assert_eq!(read.before().unwrap(), before);
    assert_eq!(before.services[0].servers[1].state, State::Down);
    assert_eq!(before.services[1].servers[0].mac, ServerMac::Unresolved);
    assert!((59..=60).contains(&read.left().as_secs()));
}

#[test]
fn the_role_reads_back() {
    let text = "role = \"member\"\nself = \"10.0.0.11\"\n".to_owned() + BEFORE;
    let before = file::parse(&text).unwrap();
    assert_eq!(Pending::new(7, &before, Duration::ZERO).before().unwrap(), before);
}

#[test]
fn no_time_is_left_after_the_deadline() {
    let pending = Pending::new(7, &Config::default(), Duration::ZERO);
    assert_eq!(pending.left(), Duration::ZERO);
}

/// A record of an earlier version reads back, and is not settled.
#[test]
fn a_record_without_the_mark_is_not_settled() {
    let pending = Pending::new(7, &Config::default(), Duration::from_secs(60));
    let mut json = serde_json::to_value(&pending).unwrap();
    json.as_object_mut().unwrap().remove("settled").unwrap();
    let read: Pending = serde_json::from_value(json).unwrap();
    assert!(!read.settled && read.is(&pending));
    assert!(!Pending::new(8, &Config::default(), Duration::from_secs(60)).is(&pending));
}
