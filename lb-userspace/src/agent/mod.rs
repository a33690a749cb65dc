//! The agent: one process that keeps an instance as its configuration says, and true to the network around it. Traffic never
//! depends on it.
//!
//! ```text
//! source      the file                      bring       the file → the instance
//! neighbours  MACs                          follow      interfaces, and what other commands do
//! checks      health                        publish     what was found out → the instance
//! systemd     what systemd is told
//! ```
//!
//! Trap: it may be killed between any two system calls, and started anew. So nothing that matters is only in its memory: what was
//! found out about servers, and which file was put in force, is in the instance's maps. And it changes the instance as any
//! command does: under the lock, for no longer than a change takes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io, net,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{self, Instant, MissedTickBehavior},
};

use self::{checks::Checks, follow::Attachment, neighbours::Neighbours, source::Source};
use crate::{
    config::model::Failing,
    datapath::{Datapath, InstanceOptions, Mode, Stamp},
    net::{Net, events::Events},
    observe::agent_view::{Level, ServerKey, Shared},
    serve::{self, serve_with},
};

mod bring;
mod checks;
mod follow;
mod neighbours;
mod publish;
mod source;
mod systemd;

/// How often the agent looks whether another command changed something: a load of the control word, and a look at the pins'
/// directory.
const LOOK: Duration = Duration::from_millis(250);

/// How often it looks at everything that the kernel might have told and did not.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// What the agent is told to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Where its listener is; `None`: it has none.
    pub listen: Option<net::SocketAddr>,
    /// Where programs run that it attaches.
    pub mode: Mode,
    /// A new instance starts on standby.
    pub standby: bool,
    /// How much a new instance can hold.
    pub wanted: InstanceOptions,
    /// How the listener answers.
    pub serve: serve::Options,
}

/// The instance as it was when the agent last looked.
struct Held {
    datapath: Datapath,
    stamp: Stamp,
    generation: u64,
    /// For `systemctl status`.
    summary: String,
}

struct Agent {
    instance: String,
    options: Options,
    shared: Shared,
    net: Net,
    source: Source,
    /// The digest of the text that was read last.
    read: u64,
    /// `None`: there is no instance at present.
    held: Option<Held>,
    /// By index, the interfaces that the instance is attached to.
    attached: BTreeMap<u32, Attachment>,
    /// The names of interfaces that it is to be attached to as soon as they are there.
    wanted: BTreeSet<String>,
    neighbours: Neighbours,
    checks: Checks,
    /// Servers that are checked.
    checked: HashSet<ServerKey>,
    /// Servers whose check fails.
    failing: HashMap<ServerKey, Failing>,
    /// When to publish what was found out; `None`: there is nothing.
    publish_at: Option<Instant>,
    /// How long the last publication took.
    published_in: Duration,
    /// `READY=1` was said.
    ready: bool,
}

/// Runs the agent until it is told to end. Must be called within a current-thread tokio runtime, in the network namespace that
/// is meant.
///
/// # Errors
///
/// It cannot begin: the listener's address is taken, or there is no instance yet and the file is none to make one by.
pub async fn run(instance: &str, options: Options) -> Result<()> {
    let shared = Shared::default();
    if let Ok(mut view) = shared.write() {
        view.started = Some(SystemTime::now());
    }
    // Held until the process ends, however it ends.
    let _only = only(instance)?;
    let listener = listen(options.listen).await?;
    // Signals are caught before anything takes time, so that none ends the agent half-way.
    let mut signals = Signals::new()?;
    // Events are heard before anything is looked at, so that none falls in between.
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
        held: None,
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

/// Answers requests for as long as the agent lives. It goes on without a listener, as traffic does without an agent.
async fn answer(listener: TcpListener, shared: Shared, instance: String, options: serve::Options) {
    if let Err(error) = serve_with(listener, Arc::clone(&shared), &instance, options).await {
        log::error!("{error:#}");
        if let Ok(mut view) = shared.write() {
            view.note(Level::Error, format!("{error:#}"));
        }
    }
}

/// Makes sure that no other agent keeps this instance, perhaps to another file. The name is the network namespace's, as the
/// instance is.
fn only(instance: &str) -> Result<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("modlb-agent-{instance}"))?;
    match UnixDatagram::bind_addr(&name) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!("another agent keeps instance {instance}; end it first, or choose another `--instance`")
        }
        result => result.context("making sure that this is the only agent"),
    }
}

async fn listen(address: Option<net::SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; say another `--listen ADDRESS:PORT`, or `--listen none`")
    })?;
    log::info!("listening on {}", listener.local_addr().unwrap_or(address));
    Ok(Some(listener))
}

/// What the agent is told by signals.
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

    /// Returns when the agent is to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Agent {
    async fn serve(&mut self, signals: &mut Signals, events: &mut Events) {
        let mut look = time::interval(LOOK);
        let mut around = time::interval_at(Instant::now() + LOOK_AROUND, LOOK_AROUND);
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
                Some(verdict) = self.checks.verdict() => self.judge(verdict),
                () = due => self.publish().await,
                _ = look.tick() => self.look().await,
                () = self.source.changed() => self.reload(false).await,
                _ = around.tick() => self.look_around().await,
            }
        }
    }

    /// Something that people should know: it goes to the log and is kept for who asks.
    fn note(&self, level: Level, text: impl Into<String>) {
        let text = text.into();
        match level {
            Level::Info => log::info!("{text}"),
            Level::Warning => log::warn!("{text}"),
            Level::Error => log::error!("{text}"),
        }
        if let Ok(mut view) = self.shared.write() {
            view.note(level, text);
        }
    }

    /// Many lines of one kind, of which only the first are kept.
    fn note_all(&self, level: Level, lines: Vec<String>) {
        const MOST: usize = 20;
        let more = lines.len().saturating_sub(MOST);
        for line in lines.into_iter().take(MOST) {
            self.note(level, line);
        }
        if more > 0 {
            self.note(level, format!("and {more} more of the same"));
        }
    }

    /// Tells systemd how things are.
    fn tell(&mut self) {
        let refused = self.shared.read().ok().and_then(|view| view.refused.clone());
        let waiting: Vec<_> = self.missing();
        let mut status = match &self.held {
            Some(held) => held.summary.clone(),
            None => "no instance".to_owned(),
        };
        if !waiting.is_empty() {
            status += &format!("; waiting for {}", waiting.join(", "));
        }
        if let Some(refused) = refused {
            status += &format!("; {} refused: {}", self.source.path().display(), refused.replace('\n', "; "));
        }
        if self.held.is_some() {
            self.ready = true;
            systemd::ready(&status);
        } else {
            systemd::status(&status);
        }
    }
}

/// Waits until then; `None`: for good.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
