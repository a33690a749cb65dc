use std::{collections::HashSet, net::TcpListener};

use super::*;
use crate::config::file;

/// A check of a port on this host, for servers in 127/8.
fn target(last: u8, port: u16, failing_since: Option<u64>) -> Target {
    let text = "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\n[service.check]\nkind = \"tcp\"\nport = 1\ninterval = 0.1\nfall = 2";
    let check = file::parse(text).unwrap().services.remove(0).check.unwrap();
    let key = ("a".to_owned(), IpAddr::from([127, 0, 0, last]));
    Target { key, check: Arc::new(check), port, failing_since }
}

#[tokio::test]
async fn verdicts_come_after_fall_and_rise() {
    let shared = Shared::default();
    let mut checks = Checks::start(Arc::clone(&shared));
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // One failed before and passes now, one passes, one refuses connections.
    let closed = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap().port();
    checks.set(vec![target(1, port, Some(5)), target(2, port, None), target(3, closed, None)]);
    let mut verdicts = HashMap::new();
    for _ in 0..2 {
        let verdict = tokio::time::timeout(Duration::from_secs(5), checks.verdict()).await.unwrap().unwrap();
        verdicts.insert(verdict.key.1.to_string(), verdict.failure);
    }
    let expected = [("127.0.0.1".to_owned(), None), ("127.0.0.3".to_owned(), Some(Failure::Refused))];
    assert_eq!(verdicts, HashMap::from(expected));
    {
        let view = shared.read().unwrap();
        let passing: HashSet<_> = view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.passing)).collect();
        assert!(passing.is_superset(&[("127.0.0.1".to_owned(), true), ("127.0.0.3".to_owned(), false)].into()));
    }
    // Servers that are no longer checked are no longer shown.
    checks.set(vec![target(2, port, None)]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let view = shared.read().unwrap();
    let shown: Vec<_> = view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.failures)).collect();
    assert_eq!(shown, [("127.0.0.2".to_owned(), 0)]);
}

/// However many are due, only [`MAX_CONCURRENT`] run.
#[tokio::test]
async fn attempts_are_bounded() {
    let shared = Shared::default();
    let (reports, _verdicts) = unbounded_channel();
    let mut task = Task { shared, reports, ids: HashMap::new(), runs: HashMap::new(), due: BinaryHeap::new(), next: 0 };
    let many = (0..1_000_u16).map(|number| {
        let mut target = target(1, 1, None);
        target.key.0 = format!("s{number}");
        target
    });
    task.set(many.collect());
    assert_eq!(task.due.len(), 1_000);
    let first = task.due.iter().map(|Reverse((at, _))| *at).min().unwrap();
    let last = task.due.iter().map(|Reverse((at, _))| *at).max().unwrap();
    assert!(last - first > Duration::from_millis(50), "the first attempts all come at once");
    let mut flying = JoinSet::new();
    while task.next_due(flying.len()).is_some() {
        task.start(&mut flying);
    }
    assert_eq!((flying.len(), task.due.len()), (MAX_CONCURRENT, 1_000 - MAX_CONCURRENT));
}
