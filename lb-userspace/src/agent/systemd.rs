//! Notifies systemd (`Type=notify`), if it started the agent.

use std::{
    sync::{
        OnceLock,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{self, Instant, Interval, MissedTickBehavior};

/// Work that takes longer than this is stuck: every wait of the agent ends far earlier.
const STUCK: Duration = Duration::from_secs(120);

/// How many messages wait for a system manager that takes none; more are dropped.
const MAX_MESSAGES: usize = 64;

/// How long the last message is waited for.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// A message that is on its way.
type Message = Box<dyn FnOnce() + Send>;

/// The agent watches: the file is in force, or it was read and refused.
pub fn ready(status: &str) {
    let status = status.to_owned();
    send(move || notify(&[NotifyState::Ready, NotifyState::Status(&status)]));
}

/// The file is being read again.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    send(|| notify(&now.map_or_else(|_| vec![NotifyState::Reloading], |now| vec![NotifyState::Reloading, now])));
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    let status = status.to_owned();
    send(move || notify(&[NotifyState::Status(&status)]));
}

/// The agent ends; the instance does not. Waits a moment until that is sent.
pub fn stopping() {
    let (done, sent) = mpsc::channel();
    send(move || {
        notify(&[NotifyState::Stopping, NotifyState::Status("ended; the instance goes on without it")]);
        // Fails if it took too long.
        let _ = done.send(());
    });
    let _ = sent.recv_timeout(FLUSH_LIMIT);
}

/// Sends in another thread: the system manager may be busy, and the agent does not stand still meanwhile.
fn send(message: impl FnOnce() + Send + 'static) {
    static SENDER: OnceLock<Option<SyncSender<Message>>> = OnceLock::new();
    let start = || {
        std::env::var_os("NOTIFY_SOCKET")?;
        let (sender, messages) = mpsc::sync_channel::<Message>(MAX_MESSAGES);
        thread::spawn(move || messages.into_iter().for_each(|message| message()));
        Some(sender)
    };
    if let Some(sender) = SENDER.get_or_init(start) {
        // Fails while too many wait.
        let _ = sender.try_send(Box::new(message));
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("cannot notify systemd: {error}");
    }
}

/// Tells systemd that the agent is alive (`WatchdogSec=`), unless what it does is stuck.
#[derive(Debug, Default)]
pub struct Watchdog {
    /// `None`: systemd does not ask for it.
    interval: Option<Interval>,
    /// Since when the agent does what it does.
    since: Option<Instant>,
}

impl Watchdog {
    /// As systemd asks for it.
    pub fn from_environment() -> Self {
        let interval = sd_notify::watchdog_enabled().map(|within| {
            let mut interval = time::interval((within / 2).max(Duration::from_millis(1)));
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self { interval, since: None }
    }

    /// Something else begins.
    pub fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Returns each time that systemd was to be told.
    pub async fn tick(&mut self) {
        match &mut self.interval {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
        if self.since.is_none_or(|since| since.elapsed() < STUCK) {
            send(|| notify(&[NotifyState::Watchdog]));
        }
    }
}
