//! The status page, and the figures that it fetches each second: pure.
//!
//! An instance may have thousands of services and a service thousands of servers. So a browser gets only what it shows:
//! one page of the services that match its filter, and servers only of open services.
//!
//! The page takes limits and groups from the JSON, so it repeats none of them.

use std::time::{SystemTime, UNIX_EPOCH};

use lb_common::outcome::Outcome;
use serde::Serialize;

use self::services::{Rows, ServiceRow};
pub use self::{
    html::{HTML, policy},
    query::PageQuery,
};
use crate::{
    observe::{
        Reading, Sampler, Used,
        agent_view::{Event, Level, View},
    },
    output::{InterfaceView, KeepView, MemberView, NotInForce, Rate, StatusView, Traffic},
};

mod html;
mod query;
mod services;
#[cfg(test)]
mod tests;

/// How many events are sent.
const EVENTS: usize = 50;

/// Everything that the page shows.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    version: &'static str,
    instance: &'a str,
    /// Why there are no figures.
    error: Option<&'a str>,
    #[serde(flatten)]
    running: Option<Running<'a>>,
    agent: Option<Agent<'a>>,
    events: Vec<EventRow<'a>>,
}

/// The figures of a running instance.
#[derive(Debug, Serialize)]
struct Running<'a> {
    /// Unix time of the reading, in milliseconds.
    time: u64,
    role: &'a str,
    state: &'static str,
    digest: &'a str,
    generation: u64,
    member: Option<&'a MemberView>,
    keep: Option<&'a KeepView>,
    interfaces: &'a [InterfaceView],
    in_use: [Use; 3],
    outcomes: Vec<OutcomeRow>,
    services: Rows<ServiceRow<'a>>,
}

/// How much of one capacity is in use.
#[derive(Debug, Serialize)]
struct Use {
    what: &'static str,
    used: u32,
    capacity: u32,
}

/// An outcome.
#[derive(Debug, Serialize)]
struct OutcomeRow {
    name: &'static str,
    group: &'static str,
    #[serde(flatten)]
    total: Traffic,
    rate: Option<Rate>,
}

/// What the agent publishes about itself.
#[derive(Debug, Serialize)]
struct Agent<'a> {
    started: Option<u64>,
    publishes: u64,
    reloads: u64,
    reload_failures: u64,
    not_in_force: Option<&'a NotInForce>,
}

/// An event.
#[derive(Debug, Serialize)]
struct EventRow<'a> {
    at: u64,
    level: Level,
    text: &'a str,
}

/// Collects what the page shows.
pub fn status<'a>(instance: &'a str, sampler: &'a Sampler, view: &'a View, query: &PageQuery) -> Status<'a> {
    // The agent knows more than two readings show.
    let events = if view.started.is_some() { &view.events } else { sampler.events() };
    Status {
        version: env!("CARGO_PKG_VERSION"),
        instance,
        error: sampler.error(),
        running: sampler.now().map(|reading| running(reading, sampler, view, query)),
        agent: view.started.map(|started| Agent {
            started: milliseconds(started),
            publishes: view.publishes,
            reloads: view.reloads,
            reload_failures: view.reload_failures,
            not_in_force: view.not_in_force.as_ref(),
        }),
        events: events.iter().rev().take(EVENTS).map(EventRow::of).collect(),
    }
}

fn running<'a>(reading: &'a Reading, sampler: &'a Sampler, view: &'a View, query: &PageQuery) -> Running<'a> {
    let StatusView { role, state, digest, member, keep, interfaces, .. } = &reading.status;
    let rates = sampler.rates().map(AsRef::as_ref);
    let outcomes = Outcome::ALL.iter().map(|&outcome| OutcomeRow {
        name: outcome.name(),
        group: outcome.group().name(),
        total: reading.stats.outcomes.get(outcome),
        rate: rates.map(|rates| rates.outcome(outcome)),
    });
    Running {
        time: milliseconds(reading.time).unwrap_or_default(),
        role,
        state: state.name(),
        digest,
        generation: reading.generation,
        member: member.as_ref(),
        keep: keep.as_ref(),
        interfaces,
        in_use: in_use(reading),
        outcomes: outcomes.collect(),
        services: services::rows(reading, rates, view, query),
    }
}

fn in_use(reading: &Reading) -> [Use; 3] {
    let (Used { services, slots, servers }, capacity) = (reading.used, &reading.capacities);
    [
        Use { what: "services", used: services, capacity: capacity.services },
        Use { what: "slots", used: slots, capacity: capacity.slots },
        Use { what: "servers", used: servers, capacity: capacity.servers },
    ]
}

impl<'a> EventRow<'a> {
    fn of(event: &'a Event) -> Self {
        Self { at: milliseconds(event.at).unwrap_or_default(), level: event.level, text: &event.text }
    }
}

/// Unix time in milliseconds, as in JavaScript.
fn milliseconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_millis() as u64)
}
