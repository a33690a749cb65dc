//! Starts the agent, runs its loop, and ends it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io, net,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{self, Instant, MissedTickBehavior},
};

use super::{
    checks::Checks,
    follow::POLL_INTERVAL,
    neighbours::Neighbours,
    source::Source,
    state::{Agent, Options},
    systemd,
    until::until,
};
use crate::{
    net::{Net, events::Events},
    observe::agent_view::{Level, Shared},
    serve::{self, serve_with},
};

/// How often it looks for changes that the kernel did not report.
const LOOK_AROUND_INTERVAL: Duration = Duration::from_secs(10);

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
    let _only = only(instance)?;
    let listener = listen(options.listen).await?;
    // Before anything that takes time, so that no signal kills the agent half-way.
    let mut signals = Signals::new()?;
    // Before the network is read, so that no event is missed.
    let mut events = Events::open()?;
    let net = Net::open()?;
    let source = Source::watch(&options.config);
    let checks = Checks::start(Arc::clone(&shared));
    if let Some(listener) = listener {
        tokio::spawn(answer(listener, Arc::clone(&shared), instance.to_owned(), options.serve.clone()));
    }
    let mut agent = Agent {
        instance: instance.to_owned(),
        options,
        shared,
        net,
        source,
        read: 0,
        seen: None,
        attached: BTreeMap::new(),
        wanted: BTreeSet::new(),
        neighbours: Neighbours::default(),
        checks,
        checked: HashSet::new(),
        failing: HashMap::new(),
        publish_at: None,
        published_in: Duration::ZERO,
        ready: false,
    };
    tokio::select! {
        result = agent.start() => result?,
        () = signals.end() => return Ok(()),
    }
    agent.serve(&mut signals, &mut events).await;
    systemd::stopping();
    log::info!("the agent ends; instance {instance} goes on without it");
    Ok(())
}

/// Answers HTTP requests. If the listener fails, the agent goes on without it.
async fn answer(listener: TcpListener, shared: Shared, instance: String, options: serve::Options) {
    if let Err(error) = serve_with(listener, Arc::clone(&shared), &instance, options).await {
        log::error!("{error:#}");
        if let Ok(mut view) = shared.write() {
            view.note(Level::Error, format!("{error:#}"));
        }
    }
}

/// Makes sure that no other agent manages this instance, by an abstract socket's name. Such names belong to the network
/// namespace, as the instance does.
fn only(instance: &str) -> Result<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("modlb-agent-{instance}"))?;
    match UnixDatagram::bind_addr(&name) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!("another agent manages instance {instance}; end it first, or choose another `--instance`")
        }
        result => result.context("making sure that this is the only agent"),
    }
}

async fn listen(address: Option<net::SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another `--listen ADDRESS:PORT`, or `--listen none`")
    })?;
    log::info!("listening on {}", listener.local_addr().unwrap_or(address));
    Ok(Some(listener))
}

/// The signals that the agent handles.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let catch = |kind| signal(kind).context("catching signals");
        Ok(Self {
            hangup: catch(SignalKind::hangup())?,
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    /// Returns when a signal ends the agent.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Agent {
    async fn serve(&mut self, signals: &mut Signals, events: &mut Events) {
        let mut look = time::interval(POLL_INTERVAL);
        let mut around = time::interval_at(Instant::now() + LOOK_AROUND_INTERVAL, LOOK_AROUND_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        around.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = until(self.publish_at);
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.hangup.recv() => self.reload(true).await,
                event = events.next() => match event {
                    Some(event) => self.event(event).await,
                    None => self.listen_again(events).await,
                },
                Some(verdict) = self.checks.verdict() => self.take_verdict(verdict),
                () = due => self.publish().await,
                _ = look.tick() => self.look().await,
                () = self.source.changed() => self.reload(false).await,
                _ = around.tick() => self.look_around().await,
            }
        }
    }
}
