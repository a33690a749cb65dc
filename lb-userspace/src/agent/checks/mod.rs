//! Health checks: when each server is tried, and what is told of it.
//!
//! All of them are one task. It holds when each is due, in a heap, and has no more than [`MOST_AT_ONCE`] attempts under way: a
//! hundred thousand checks wait in memory, not in sockets. What is due while all are taken waits, and its interval stretches.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{self, Instant},
};

use self::{attempt::attempt, tally::Tally};
use super::view::{CheckView, ServerKey, Shared};
use crate::config::{check::Check, health::Failure};

mod attempt;
mod page;
mod tally;

/// How many attempts may be under way.
const MOST_AT_ONCE: usize = 256;

/// A server that is to be checked.
#[derive(Clone, Debug)]
pub struct Target {
    /// Of which service, and which.
    pub key: ServerKey,
    /// How.
    pub check: Arc<Check>,
    /// The port, unless it is an echo that is asked for.
    pub port: u16,
    /// Since when it fails, in seconds of the epoch, if it did when this began.
    pub failing_since: Option<u64>,
}

/// A server passes from now on, or it does not.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Of which service, and which.
    pub key: ServerKey,
    /// Why it fails; `None`: it passes.
    pub failure: Option<Failure>,
}

/// The task's handle. Dropped, the checks end.
#[derive(Debug)]
pub struct Checks {
    targets: UnboundedSender<Vec<Target>>,
    verdicts: UnboundedReceiver<Verdict>,
}

impl Checks {
    /// Starts the task, with nothing to check yet.
    pub fn start(shared: Shared) -> Self {
        let (targets, wanted) = unbounded_channel();
        let (tell, verdicts) = unbounded_channel();
        let task = Task { shared, tell, ids: HashMap::new(), runs: HashMap::new(), due: BinaryHeap::new(), next: 0 };
        tokio::spawn(task.run(wanted));
        Self { targets, verdicts }
    }

    /// Checks these from now on, and no others. What is the same as before goes on.
    pub fn set(&self, targets: Vec<Target>) {
        // The task ends only after this.
        let _ = self.targets.send(targets);
    }

    /// The next verdict.
    pub async fn verdict(&mut self) -> Option<Verdict> {
        self.verdicts.recv().await
    }
}

/// A check that is being done.
struct Run {
    target: Target,
    tally: Tally,
    /// When the next attempt is to start.
    due: Instant,
}

struct Task {
    shared: Shared,
    tell: UnboundedSender<Verdict>,
    ids: HashMap<ServerKey, u64>,
    runs: HashMap<u64, Run>,
    /// What is not under way. Some are for runs that ended meanwhile.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    next: u64,
}

/// An attempt that ended.
struct Attempted {
    id: u64,
    outcome: Result<(), Failure>,
    took: Duration,
}

impl Task {
    async fn run(mut self, mut wanted: UnboundedReceiver<Vec<Target>>) {
        let mut flying = JoinSet::new();
        loop {
            let next = self.next_due(flying.len());
            let due = async {
                match next {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                targets = wanted.recv() => match targets {
                    Some(targets) => self.set(targets),
                    None => return,
                },
                Some(Ok(attempted)) = flying.join_next() => self.attempted(attempted),
                () = due => self.start(&mut flying),
            }
        }
    }

    /// When the next attempt may start, with so many under way; `None`: not before one of them ends, or there is none.
    fn next_due(&self, flying: usize) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at).filter(|_| flying < MOST_AT_ONCE)
    }

    fn set(&mut self, targets: Vec<Target>) {
        let mut ids = HashMap::with_capacity(targets.len());
        let mut runs = HashMap::with_capacity(targets.len());
        for target in targets {
            let before = self.ids.remove(&target.key).and_then(|id| Some((id, self.runs.remove(&id)?)));
            let key = target.key.clone();
            match before {
                Some((id, run)) if *run.target.check == *target.check && run.target.port == target.port => {
                    ids.insert(key, id);
                    runs.insert(id, run);
                }
                // What was found by other means still counts, until attempts by these say otherwise.
                Some((_, run)) => self.add(target, run.tally.passing(), &mut ids, &mut runs),
                None => {
                    let passing = target.failing_since.is_none();
                    self.add(target, passing, &mut ids, &mut runs);
                }
            }
        }
        (self.ids, self.runs) = (ids, runs);
        self.due.retain(|Reverse((_, id))| self.runs.contains_key(id));
        if let Ok(mut view) = self.shared.write() {
            let ids = &self.ids;
            view.checks.retain(|key, _| ids.contains_key(key));
        }
    }

    /// The first attempt comes at any time within an interval, so that not all come at once.
    fn add(&mut self, target: Target, passing: bool, ids: &mut HashMap<ServerKey, u64>, runs: &mut HashMap<u64, Run>) {
        let id = self.next;
        self.next += 1;
        let due = Instant::now() + target.check.interval.mul_f64(random());
        self.due.push(Reverse((due, id)));
        ids.insert(target.key.clone(), id);
        runs.insert(id, Run { target, tally: Tally::new(passing), due });
    }

    /// Starts the attempt that is due next.
    fn start(&mut self, flying: &mut JoinSet<Attempted>) {
        let Some(Reverse((_, id))) = self.due.pop() else { return };
        let Some(run) = self.runs.get_mut(&id) else { return };
        let (check, port, address): (_, _, IpAddr) = (Arc::clone(&run.target.check), run.target.port, run.target.key.1);
        run.due = (run.due + check.interval).max(Instant::now());
        flying.spawn(async move {
            let start = Instant::now();
            let outcome = attempt(&check, address, port).await;
            Attempted { id, outcome, took: start.elapsed() }
        });
    }

    fn attempted(&mut self, Attempted { id, outcome, took }: Attempted) {
        // It may have ended meanwhile.
        let Some(run) = self.runs.get_mut(&id) else { return };
        self.due.push(Reverse((run.due, id)));
        let Check { kind, rise, fall, .. } = *run.target.check;
        let changed = run.tally.add(outcome, rise, fall);
        if changed {
            // Nobody listens when the agent ends.
            let _ = self.tell.send(Verdict { key: run.target.key.clone(), failure: outcome.err() });
        }
        let Ok(mut view) = self.shared.write() else { return };
        if !view.checks.contains_key(&run.target.key) {
            let since = run
                .target
                .failing_since
                .map_or_else(SystemTime::now, |since| SystemTime::UNIX_EPOCH + Duration::from_secs(since));
            let new = CheckView {
                kind: kind.name(),
                passing: run.tally.passing(),
                since,
                took,
                attempts: 0,
                failures: 0,
                error: None,
            };
            view.checks.insert(run.target.key.clone(), new);
        }
        if let Some(seen) = view.checks.get_mut(&run.target.key) {
            if changed {
                (seen.passing, seen.since) = (run.tally.passing(), SystemTime::now());
            }
            seen.took = took;
            seen.attempts += 1;
            seen.failures += u64::from(outcome.is_err());
            seen.error = outcome.err().map(|failure| failure.to_string());
        }
    }
}

/// From 0 to 1.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, net::TcpListener};

    use super::*;
    use crate::config::file;

    /// A check of a port of this host's, for servers of 127/8.
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
        // One failed when this began and passes now, one passes, one is refused from the start.
        let closed = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap().port();
        checks.set(vec![target(1, port, Some(5)), target(2, port, None), target(3, closed, None)]);
        let mut verdicts = HashMap::new();
        for _ in 0..2 {
            let verdict = time::timeout(Duration::from_secs(5), checks.verdict()).await.unwrap().unwrap();
            verdicts.insert(verdict.key.1.to_string(), verdict.failure);
        }
        let expected = [("127.0.0.1".to_owned(), None), ("127.0.0.3".to_owned(), Some(Failure::Refused))];
        assert_eq!(verdicts, HashMap::from(expected));
        {
            let view = shared.read().unwrap();
            let passing: HashSet<_> = view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.passing)).collect();
            assert!(passing.is_superset(&[("127.0.0.1".to_owned(), true), ("127.0.0.3".to_owned(), false)].into()));
        }
        // Who is checked no more is not shown any more.
        checks.set(vec![target(2, port, None)]);
        time::sleep(Duration::from_millis(300)).await;
        let view = shared.read().unwrap();
        let shown: Vec<_> = view.checks.iter().map(|(key, seen)| (key.1.to_string(), seen.failures)).collect();
        assert_eq!(shown, [("127.0.0.2".to_owned(), 0)]);
    }

    /// However many are due, only so many are under way.
    #[tokio::test]
    async fn attempts_are_bounded() {
        let shared = Shared::default();
        let (tell, _verdicts) = unbounded_channel();
        let mut task =
            Task { shared, tell, ids: HashMap::new(), runs: HashMap::new(), due: BinaryHeap::new(), next: 0 };
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
        assert_eq!((flying.len(), task.due.len()), (MOST_AT_ONCE, 1_000 - MOST_AT_ONCE));
    }
}
