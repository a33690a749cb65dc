use std::time::Duration;

use lb_common::mac::Mac;
use nix::fcntl::{Flock, FlockArg};

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
    before.services[0].servers[0].mac = ServerMac::Resolved(Mac([2, 0, 0, 0, 0, 0x11]));
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

/// `status` locks the record for a moment to see whether a process waits.
#[test]
fn a_reader_does_not_keep_the_waiter_from_its_lock() {
    let record = tempfile::NamedTempFile::new().unwrap();
    let open = || std::fs::File::open(record.path()).unwrap();
    let reader = Flock::lock(open(), FlockArg::LockShared).unwrap();
    let waiting = std::thread::spawn({
        let file = open();
        move || waiter::lock(file, Duration::from_secs(60))
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(reader);
    let first = waiting.join().unwrap().unwrap();
    // Another waiter keeps it.
    assert!(waiter::lock(open(), Duration::from_millis(50)).is_err());
    drop(first);
}
