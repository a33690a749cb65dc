use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::config::{
    file,
    model::{Failing, Failure},
};

/// A check of a port on this host, for servers in 127/8.
fn target(last: u8, port: u16, failing: Option<Failing>) -> Target {
    let text = "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\n[service.check]\nkind = \"tcp\"\nport = 1\ninterval = 0.1\nfall = 2";
    let check = file::parse(text).unwrap().services.remove(0).check.unwrap();
    let key = ("a".to_owned(), IpAddr::from([127, 0, 0, last]));
    Target { key, check: Arc::new(check), port, failing }
}

async fn verdict(checks: &mut Checks) -> (String, Option<Failure>) {
    let verdict = tokio::time::timeout(Duration::from_secs(30), checks.verdict()).await.unwrap().unwrap();
    (verdict.key.1.to_string(), verdict.failure)
}

#[tokio::test]
async fn verdicts_come_after_fall_and_rise() {
    let shared = Shared::default();
    let mut checks = Checks::start(Arc::clone(&shared)).unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // One failed before and passes now, one passes, one refuses connections.
    let closed = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap().port();
    let failing = Failing { since: 5, why: Failure::Timeout };
    checks.set(vec![target(1, port, Some(failing)), target(2, port, None), target(3, closed, None)]);
    let verdicts = HashMap::from([verdict(&mut checks).await, verdict(&mut checks).await]);
    let expected = [("127.0.0.1".to_owned(), None), ("127.0.0.3".to_owned(), Some(Failure::Refused))];
    assert_eq!(verdicts, HashMap::from(expected));
    {
        let view = shared.read().unwrap();
        let passing: HashSet<_> = view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.passing)).collect();
        assert!(passing.is_superset(&[("127.0.0.1".to_owned(), true), ("127.0.0.3".to_owned(), false)].into()));
    }
    // Servers that are no longer checked are no longer shown.
    checks.set(vec![target(2, port, None)]);
    let shown = || {
        let view = shared.read().unwrap();
        view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.failures)).collect::<Vec<_>>()
    };
    for _ in 0..1_000 {
        if shown() == [("127.0.0.2".to_owned(), 0)] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", shown());
}

/// A new server that is down until it is checked is down for a real reason after its first attempt.
#[tokio::test]
async fn the_first_attempt_gives_a_reason() {
    let mut checks = Checks::start(Shared::default()).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let failing = Failing { since: 5, why: Failure::NotChecked };
    let good = target(2, listener.local_addr().unwrap().port(), Some(failing));
    checks.set(vec![target(1, closed, Some(failing)), good]);
    let verdicts = HashMap::from([verdict(&mut checks).await, verdict(&mut checks).await]);
    let expected = [("127.0.0.1".to_owned(), Some(Failure::Refused)), ("127.0.0.2".to_owned(), None)];
    assert_eq!(verdicts, HashMap::from(expected));
}

/// What this host cannot do is shown, and counts neither for nor against the server.
#[tokio::test]
async fn failures_of_this_host_move_no_streak() {
    let shared = Shared::default();
    let mut checks = Checks::start(Arc::clone(&shared)).unwrap();
    let mut elsewhere = target(1, 1, None);
    let mut check = (*elsewhere.check).clone();
    check.source = Some(IpAddr::from([192, 0, 2, 1]));
    elsewhere.check = Arc::new(check);
    checks.set(vec![elsewhere]);
    let errors = || shared.read().unwrap().local_errors[crate::observe::local_error::LocalError::Source as usize];
    for _ in 0..1_500 {
        if errors() > 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(errors() > 5);
    let view = shared.read().unwrap().clone();
    let seen = view.checks.values().next().unwrap();
    assert!(seen.passing && seen.failures == 0 && seen.attempts > 5, "{seen:?}");
    assert_eq!(seen.error.as_deref(), Some("not made: the check's source is not an address of this host"));
    let notes: Vec<_> = view.events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(tokio::time::timeout(Duration::from_millis(10), checks.verdict()).await.is_err());
}

#[test]
fn attempts_leave_files_for_the_agent() {
    let limits = [0, 10, 48, 60, 96, 256, 1_024, 1_200, 4_096, u64::MAX];
    assert_eq!(limits.map(places_of), [1, 1, 1, 12, 48, 128, 512, 688, 1_024, 1_024]);
}
