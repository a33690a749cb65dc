//! What the agent publishes about itself, for `/metrics`, the status page and tests. Everything else that they show
//! comes from the instance's maps.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use serde::Serialize;

use super::{lateness::Lateness, local_error::LocalError};
use crate::output::NotInForce;

/// How many events are kept; the oldest are dropped.
pub const MAX_EVENTS: usize = 200;

/// Shared by the agent and its listener; locked only while it is copied or changed.
pub type Shared = Arc<RwLock<View>>;

/// A server of a service.
pub type ServerKey = (String, IpAddr);

/// The agent's own state.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// When it started.
    pub started: Option<SystemTime>,
    /// How often it published a configuration or state.
    pub publishes: u64,
    /// How often it reloaded its configuration successfully.
    pub reloads: u64,
    /// How often its configuration could not be read or put in force.
    pub reload_failures: u64,
    /// Why the configuration file is not in force, if it is not.
    pub not_in_force: Option<NotInForce>,
    /// How many interfaces it waits for.
    pub missing: usize,
    /// Neighbour entries that it maintains.
    pub neighbours: usize,
    /// Neighbour events that concerned a server.
    pub neighbour_events: u64,
    /// The health checks, by service name and server address.
    #[serde(skip)]
    pub checks: BTreeMap<ServerKey, CheckView>,
    /// How late attempts of health checks started.
    #[serde(skip)]
    pub lateness: Lateness,
    /// How many attempts this host could not make, by [`LocalError`].
    #[serde(skip)]
    pub local_errors: [u64; LocalError::ALL.len()],
    /// The latest events, the newest last.
    pub events: VecDeque<Event>,
}

/// A server's health check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckView {
    /// `tcp`, `http`, `https` or `icmp`.
    pub kind: &'static str,
    /// The current result, after `rise` and `fall`.
    pub passing: bool,
    /// Since when the result holds.
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
    /// The text, one line.
    pub text: String,
}

/// The severity of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For information.
    Info,
    /// Needs attention.
    Warning,
    /// A failure.
    Error,
}

/// Logs something that operators should know, and keeps it for the listener.
pub fn note(shared: &Shared, level: Level, text: impl Into<String>) {
    let text = text.into();
    match level {
        Level::Info => log::info!("{text}"),
        Level::Warning => log::warn!("{text}"),
        Level::Error => log::error!("{text}"),
    }
    if let Ok(mut view) = shared.write() {
        view.note(level, text);
    }
}

impl View {
    /// Adds an event, and drops the oldest if there are too many.
    pub fn note(&mut self, level: Level, text: impl Into<String>) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at: SystemTime::now(), level, text: text.into() });
    }
}
