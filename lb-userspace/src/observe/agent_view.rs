//! What the agent tells of itself: to `/metrics`, to the status page and to tests. Everything else that they show is read from
//! the instance's maps.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use serde::Serialize;

/// How many events are kept; the oldest are let go.
pub const MAX_EVENTS: usize = 200;

/// What the agent and its listener share. Held for no longer than a copy takes.
pub type Shared = Arc<RwLock<View>>;

/// A server of a service.
pub type ServerKey = (String, IpAddr);

/// The agent's own state.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// When it started.
    pub started: Option<SystemTime>,
    /// How often it made a new configuration or state active.
    pub publishes: u64,
    /// How often it read its configuration anew and found it good.
    pub reloads: u64,
    /// How often its configuration could not be read, or not be put in force.
    pub reload_failures: u64,
    /// Why the configuration last read is not in force, if it is not.
    pub refused: Option<String>,
    /// Entries of the neighbour table that are kept true.
    pub neighbours: usize,
    /// Neighbour events that concerned a server.
    pub neighbour_events: u64,
    /// The health checks, by service name and server address.
    #[serde(skip)]
    pub checks: BTreeMap<ServerKey, CheckView>,
    /// The latest events, the newest last.
    pub events: VecDeque<Event>,
}

/// A server's health check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckView {
    /// `tcp`, `http`, `https` or `icmp`.
    pub kind: &'static str,
    /// What counts at present, after `rise` and `fall`.
    pub passing: bool,
    /// Since when.
    pub since: SystemTime,
    /// How long the last attempt took.
    pub took: Duration,
    /// Attempts so far.
    pub attempts: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// `info`, `warning` or `error`.
    pub level: Level,
    /// A line for people.
    pub text: String,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Info,
    /// Somebody should look.
    Warning,
    /// Something does not work.
    Error,
}

impl View {
    /// Adds an event; the oldest goes when there are too many.
    pub fn note(&mut self, level: Level, text: impl Into<String>) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at: SystemTime::now(), level, text: text.into() });
    }
}
