//! Runs attempts and reports verdicts.
//!
//! One task runs all checks. A hundred thousand of them wait in memory, not in sockets. If more are due than may run,
//! they start late.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{
    attempt::attempt,
    fault::Fault,
    local::LocalReports,
    schedule::{Schedule, Start},
    streak::CheckStreak,
    target::{Target, Verdict},
};
use crate::{
    agent::until::until,
    config::model::{Check, Failing, Failure},
    observe::agent_view::{self, CheckView, Level, ServerKey, Shared, View},
};

/// The first attempts of servers that are down until they are checked are within this time.
const SOON: Duration = Duration::from_secs(1);

/// At least this long after it was reported that attempts are late, it is not reported again.
const LATE_AGAIN: Duration = Duration::from_secs(600);

/// A server's check, with its state.
struct Run {
    target: Target,
    service: Arc<str>,
    streak: CheckStreak,
    /// When the next attempt is to start.
    due: Instant,
    /// It is down only because it has not been checked.
    not_checked: bool,
}

/// All checks.
pub(super) struct Task {
    shared: Shared,
    reports: UnboundedSender<Verdict>,
    ids: HashMap<ServerKey, u64>,
    runs: HashMap<u64, Run>,
    schedule: Schedule,
    local: LocalReports,
    next: u64,
    /// When it was last reported that attempts are late.
    late: Option<Instant>,
}

/// An attempt that ended.
struct Attempted {
    id: u64,
    service: Arc<str>,
    outcome: Result<(), Fault>,
    took: Duration,
}

impl Task {
    /// Nothing to check yet; at most `places` attempts at a time.
    pub fn new(shared: Shared, reports: UnboundedSender<Verdict>, places: usize) -> Self {
        Self {
            shared,
            reports,
            ids: HashMap::new(),
            runs: HashMap::new(),
            schedule: Schedule::new(places),
            local: LocalReports::default(),
            next: 0,
            late: None,
        }
    }

    /// Checks what is wanted until nothing can be wanted any more.
    pub async fn run(mut self, mut wanted: UnboundedReceiver<Vec<Target>>) {
        let mut flying = JoinSet::new();
        loop {
            self.start_due(&mut flying);
            let due = until(self.schedule.next_due());
            tokio::select! {
                targets = wanted.recv() => match targets {
                    Some(targets) => self.set(targets),
                    None => return,
                },
                Some(ended) = flying.join_next() => {
                    self.ended(ended);
                    while let Some(ended) = flying.try_join_next() {
                        self.ended(ended);
                    }
                }
                () = due => {}
            }
        }
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
                    let passing = target.failing.is_none();
                    self.add(target, passing, &mut ids, &mut runs);
                }
            }
        }
        (self.ids, self.runs) = (ids, runs);
        let runs = &self.runs;
        self.schedule.retain(|id| runs.contains_key(&id));
        self.local.retain(|id| runs.contains_key(&id));
        if let Ok(mut view) = self.shared.write() {
            let ids = &self.ids;
            view.checks.retain(|key, _| ids.contains_key(key));
        }
    }

    /// The first attempt is at a random time within an interval, so that not all start at once.
    fn add(&mut self, target: Target, passing: bool, ids: &mut HashMap<ServerKey, u64>, runs: &mut HashMap<u64, Run>) {
        let id = self.next;
        self.next += 1;
        let not_checked = target.failing.is_some_and(|failing| failing.why == Failure::NotChecked);
        let spread = if not_checked { SOON.min(target.check.interval) } else { target.check.interval };
        let due = Instant::now() + spread.mul_f64(random());
        let service: Arc<str> = target.key.0.as_str().into();
        self.schedule.add(id, Arc::clone(&service), due);
        ids.insert(target.key.clone(), id);
        runs.insert(id, Run { target, service, streak: CheckStreak::new(passing), due, not_checked });
    }

    /// Starts every attempt that is due and may start.
    fn start_due(&mut self, flying: &mut JoinSet<Attempted>) {
        let now = Instant::now();
        while let Some(Start { id, service, due }) = self.schedule.start(now) {
            let Some(run) = self.runs.get_mut(&id) else {
                self.schedule.ended(&service);
                continue;
            };
            let (check, port, address) = (Arc::clone(&run.target.check), run.target.port, run.target.key.1);
            run.due = (due + check.interval).max(now);
            let late = now - due;
            if let Ok(mut view) = self.shared.write() {
                view.lateness.add(late);
            }
            if late > check.interval {
                self.report_late(late, now);
            }
            flying.spawn(async move {
                let (outcome, took) = attempt(&check, address, port).await;
                Attempted { id, service, outcome, took }
            });
        }
    }

    /// Reports that checks cannot keep to their intervals.
    fn report_late(&mut self, late: Duration, now: Instant) {
        if self.late.is_some_and(|at| now < at + LATE_AGAIN) {
            return;
        }
        self.late = Some(now);
        self.note(Level::Warning, format!(
            "health checks are late by {:.1} s, more than an interval: more are due than can run; use longer intervals, or \
             shorter timeouts for servers that do not answer",
            late.as_secs_f64()
        ));
    }

    fn note(&self, level: Level, text: String) {
        agent_view::note(&self.shared, level, text);
    }

    fn ended(&mut self, ended: Result<Attempted, JoinError>) {
        match ended {
            Ok(attempted) => self.attempted(attempted),
            // Attempts are neither cancelled nor do they panic; if one did, its place would be lost.
            Err(error) => log::error!("an attempt of a health check ended: {error}"),
        }
    }

    fn attempted(&mut self, Attempted { id, service, outcome, took }: Attempted) {
        self.schedule.ended(&service);
        // It may have been removed meanwhile.
        let Some(run) = self.runs.get_mut(&id) else { return };
        self.schedule.add(id, Arc::clone(&run.service), run.due);
        let Check { rise, fall, .. } = *run.target.check;
        let key = &run.target.key;
        let (changed, report) = match outcome {
            Ok(()) => (run.streak.add(Ok(()), rise, fall), None),
            Err(Fault::Server(failure)) => (run.streak.add(Err(failure), rise, fall), None),
            Err(Fault::Local(error)) => {
                let what = format!("{} {}", key.0, key.1);
                (false, self.local.failed(id, &what, error, Instant::now()))
            }
        };
        // A server that was down unchecked is down for a reason now.
        let failure = match outcome {
            Err(Fault::Server(failure)) => Some(failure),
            Ok(()) | Err(Fault::Local(_)) => None,
        };
        let found = run.not_checked && failure.is_some();
        run.not_checked &= !changed && !found;
        if let Ok(mut view) = self.shared.write() {
            see(&mut view, run, outcome, took, changed);
        }
        if changed || found {
            // Fails only while the agent ends.
            let _ = self.reports.send(Verdict { key: key.clone(), failure });
        }
        if !matches!(outcome, Err(Fault::Local(_))) {
            self.local.made(id);
        }
        if let Some(report) = report {
            self.note(Level::Error, report);
        }
        if let Some((isolated, text)) = self.local.isolation(self.runs.len()) {
            self.note(if isolated { Level::Error } else { Level::Info }, text);
        }
    }
}

/// Shows an attempt.
fn see(view: &mut View, run: &Run, outcome: Result<(), Fault>, took: Duration, changed: bool) {
    if let Err(Fault::Local(error)) = outcome {
        view.local_errors[error as usize] += 1;
    }
    let key = &run.target.key;
    if !view.checks.contains_key(key) {
        let since = run
            .target
            .failing
            .map_or_else(SystemTime::now, |Failing { since, .. }| SystemTime::UNIX_EPOCH + Duration::from_secs(since));
        let kind = run.target.check.kind.name();
        let passing = run.streak.passing();
        let new = CheckView { kind, passing, since, took, attempts: 0, failures: 0, error: None };
        view.checks.insert(key.clone(), new);
    }
    let Some(seen) = view.checks.get_mut(key) else { return };
    if changed {
        (seen.passing, seen.since) = (run.streak.passing(), SystemTime::now());
    }
    seen.took = took;
    seen.attempts += 1;
    seen.failures += u64::from(matches!(outcome, Err(Fault::Server(_))));
    seen.error = match outcome {
        Ok(()) => None,
        Err(Fault::Server(failure)) => Some(failure.to_string()),
        Err(Fault::Local(error)) => Some(format!("not made: {error}")),
    };
}

/// A random number from 0 to 1.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
