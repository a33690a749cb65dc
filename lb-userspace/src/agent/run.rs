//! Starts the agent, runs its loop, and ends it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{self, Instant, Interval, MissedTickBehavior},
};

use super::{
    checks::Checks,
    decision::Why,
    file::File,
    follow::POLL_INTERVAL,
    neighbours::Neighbours,
    only::OnlyAgent,
    source::Source,
    state::{Agent, Options},
    stop::Stop,
    systemd::{self, Watchdog},
    until::until,
};
use crate::{
    change::rollback::Abandoned,
    logging::count_repeats,
    net::{Net, events::Events},
    observe::agent_view::Shared,
    serve::{self, Endpoint, Listener},
};

/// How often it looks for changes that the kernel did not report.
const INSPECT_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the agent until a signal ends it. Call it within a current-thread tokio runtime, in the instance's network
/// namespace.
///
/// # Errors
///
/// It cannot start: the listener's address is in use, or there is no instance and the file cannot make one.
pub async fn run(instance: &str, options: Options) -> Result<()> {
    let shared = Shared::default();
    if let Ok(mut view) = shared.write() {
        view.started = Some(SystemTime::now());
    }
    // Held until the process ends, however it ends.
    let only = OnlyAgent::claim(instance)?;
    let listener = listen(options.listen.as_ref(), &options.serve)?;
    // Before anything that takes time, so that no signal kills the agent half-way.
    let stop = Stop::on_signals()?;
    let mut hangup = signal(SignalKind::hangup()).context("catching signals")?;
    // Before the network is read, so that no event is missed.
    let mut events = Events::open()?;
    let net = Net::open()?;
    let source = Source::new(&options.config);
    tokio::spawn(count_repeats());
    let checks = Checks::start(Arc::clone(&shared)).context("starting the health checks")?;
    // Ends with the agent.
    let _listener = match listener {
        Some(listener) => Some(listener.start(Arc::clone(&shared), instance).context("starting the listener")?),
        None => None,
    };
    let mut agent = Agent {
        instance: instance.to_owned(),
        options,
        shared,
        net,
        source,
        file: File::default(),
        stop: stop.clone(),
        only,
        busy_since: None,
        seen: None,
        attached: BTreeMap::new(),
        wanted: BTreeSet::new(),
        neighbours: Neighbours::default(),
        checks,
        checked: HashSet::new(),
        failing: HashMap::new(),
        inspect_at: None,
        inspected_in: Duration::ZERO,
        compared: None,
        problems: BTreeSet::new(),
        not_attached: None,
        publish_at: None,
        left_out: Vec::new(),
        abandoned: Abandoned::default(),
        published_in: Duration::ZERO,
        ready: false,
    };
    let mut watchdog = Watchdog::from_environment();
    if let Some(result) = stop.during(&mut watchdog, agent.start()).await {
        result?;
    }
    let mut timers = Timers::start();
    while stop.during(&mut watchdog, agent.turn(&mut hangup, &mut events, &mut timers)).await.is_some() {}
    systemd::stopping();
    log::info!("the agent ends; instance {instance} goes on without it");
    Ok(())
}

fn listen(endpoint: Option<&Endpoint>, options: &serve::Options) -> Result<Option<Listener>> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    let listener = Listener::bind(endpoint, options.clone()).map_err(|error| match endpoint {
        Endpoint::At(_) => error.context("the listener cannot start; `--listen none` does without"),
        Endpoint::Unix(_) => error,
    })?;
    log::info!("listening on {}", listener.url());
    Ok(Some(listener))
}

/// What the agent does again and again.
struct Timers {
    look: Interval,
    inspect: Interval,
}

impl Timers {
    fn start() -> Self {
        let mut look = time::interval(POLL_INTERVAL);
        let mut inspect = time::interval_at(Instant::now() + INSPECT_INTERVAL, INSPECT_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        inspect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { look, inspect }
    }
}

impl Agent {
    /// Waits for something to do, and does it.
    async fn turn(&mut self, hangup: &mut Signal, events: &mut Events, timers: &mut Timers) {
        let (publication, inspection) = (until(self.publish_at), until(self.inspect_at));
        let retry = until(self.file.retry_at);
        // In no order: a router's events may never end, and keep nothing else waiting.
        tokio::select! {
            _ = hangup.recv() => self.reload(Why::Asked).await,
            () = self.source.due() => self.reload(Why::Look).await,
            () = retry => self.reload(Why::Again).await,
            event = events.next() => match event {
                Some(event) => self.event(event).await,
                None => self.listen_again(events).await,
            },
            Some(verdict) = self.checks.verdict() => self.take_verdict(verdict),
            () = publication => self.publish().await,
            () = inspection => self.inspect().await,
            _ = timers.look.tick() => self.look().await,
            _ = timers.inspect.tick() => self.inspect().await,
        }
    }
}
