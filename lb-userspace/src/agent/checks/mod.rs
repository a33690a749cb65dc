//! Schedules health checks and reports their verdicts.
//!
//! One task runs them all. It keeps in a heap when each is due, and runs at most [`MAX_CONCURRENT`] attempts at a time:
//! a hundred thousand checks wait in memory, not in sockets. If too many are due, their intervals get longer.

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
    time::Instant,
};

use self::{attempt::attempt, streak::CheckStreak};
use super::until::until;
use crate::{
    config::model::{Check, Failure},
    observe::agent_view::{CheckView, ServerKey, Shared},
};

mod attempt;
mod failure;
mod page;
mod streak;

/// How many attempts may run at the same time.
const MAX_CONCURRENT: usize = 256;

/// A server to check.
#[derive(Clone, Debug)]
pub struct Target {
    /// The service and the server.
    pub key: ServerKey,
    /// The check.
    pub check: Arc<Check>,
    /// The port; 0 for an echo request.
    pub port: u16,
    /// Since when it has been failing, in seconds since the epoch, if it already is.
    pub failing_since: Option<u64>,
}

/// A server has begun to pass, or to fail.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The service and the server.
    pub key: ServerKey,
    /// Why it fails; `None`: it passes.
    pub failure: Option<Failure>,
}

/// The task's handle. Dropping it ends the checks.
#[derive(Debug)]
pub struct Checks {
    targets: UnboundedSender<Vec<Target>>,
    verdicts: UnboundedReceiver<Verdict>,
}

impl Checks {
    /// Starts the task, with nothing to check yet.
    pub fn start(shared: Shared) -> Self {
        let (targets, wanted) = unbounded_channel();
        let (reports, verdicts) = unbounded_channel();
        let task = Task { shared, reports, ids: HashMap::new(), runs: HashMap::new(), due: BinaryHeap::new(), next: 0 };
        tokio::spawn(task.run(wanted));
        Self { targets, verdicts }
    }

    /// Checks these servers and no others. Checks that stay the same continue.
    pub fn set(&self, targets: Vec<Target>) {
        // The task outlives this handle.
        let _ = self.targets.send(targets);
    }

    /// The next verdict.
    pub async fn verdict(&mut self) -> Option<Verdict> {
        self.verdicts.recv().await
    }
}

/// A server's check, with its state.
struct Run {
    target: Target,
    streak: CheckStreak,
    /// When the next attempt is to start.
    due: Instant,
}

struct Task {
    shared: Shared,
    reports: UnboundedSender<Verdict>,
    ids: HashMap<ServerKey, u64>,
    runs: HashMap<u64, Run>,
    /// Runs without an attempt in flight, by when they are due. Some may have been removed meanwhile.
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
            let due = until(self.next_due(flying.len()));
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

    /// When the next attempt may start; `None`: there is none, or too many are in flight.
    fn next_due(&self, flying: usize) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at).filter(|_| flying < MAX_CONCURRENT)
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
                // The check changed: its last result holds until the new one finds another.
                Some((_, run)) => self.add(target, run.streak.passing(), &mut ids, &mut runs),
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

    /// The first attempt is at a random time within an interval, so that not all start at once.
    fn add(&mut self, target: Target, passing: bool, ids: &mut HashMap<ServerKey, u64>, runs: &mut HashMap<u64, Run>) {
        let id = self.next;
        self.next += 1;
        let due = Instant::now() + target.check.interval.mul_f64(random());
        self.due.push(Reverse((due, id)));
        ids.insert(target.key.clone(), id);
        runs.insert(id, Run { target, streak: CheckStreak::new(passing), due });
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
        // It may have been removed meanwhile.
        let Some(run) = self.runs.get_mut(&id) else { return };
        self.due.push(Reverse((run.due, id)));
        let Check { kind, rise, fall, .. } = *run.target.check;
        let changed = run.streak.add(outcome, rise, fall);
        if changed {
            // Fails only while the agent ends.
            let _ = self.reports.send(Verdict { key: run.target.key.clone(), failure: outcome.err() });
        }
        let Ok(mut view) = self.shared.write() else { return };
        if !view.checks.contains_key(&run.target.key) {
            let since = run
                .target
                .failing_since
                .map_or_else(SystemTime::now, |since| SystemTime::UNIX_EPOCH + Duration::from_secs(since));
            let new = CheckView {
                kind: kind.name(),
                passing: run.streak.passing(),
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
                (seen.passing, seen.since) = (run.streak.passing(), SystemTime::now());
            }
            seen.took = took;
            seen.attempts += 1;
            seen.failures += u64::from(outcome.is_err());
            seen.error = outcome.err().map(|failure| failure.to_string());
        }
    }
}

/// A random number from 0 to 1.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests;
