//! Two readings → what differs, as lines of text: pure.

use std::collections::HashMap;

use super::{agent_view::Level, reading::Reading, status::state};
use crate::output::{ServiceView, StatusView};

#[cfg(test)]
mod tests;

/// How many changes of services and servers are listed; the rest are counted.
const MOST: usize = 10;

/// A difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Its severity.
    pub level: Level,
    /// The text, one line.
    pub text: String,
}

impl Change {
    fn new(level: Level, text: String) -> Self {
        Self { level, text }
    }
}

/// The differences from one reading to the next.
pub fn between(before: &Reading, now: &Reading) -> Vec<Change> {
    let mut changes: Vec<_> = activity(&before.status, &now.status).into_iter().collect();
    changes.extend(interfaces(&before.status, &now.status));
    // Services and servers change only with a publication.
    if before.generation != now.generation || before.status.digest != now.status.digest {
        changes.extend(services(&before.status.services, &now.status.services));
        if before.status.digest != now.status.digest {
            changes.push(Change::new(Level::Info, format!("digest {}", now.status.digest)));
        }
    }
    changes
}

fn activity(before: &StatusView, now: &StatusView) -> Option<Change> {
    (before.state != now.state).then(|| Change::new(Level::Warning, format!("now {}", now.state.name())))
}

fn interfaces(before: &StatusView, now: &StatusView) -> Vec<Change> {
    let mut changes = Vec::new();
    for interface in &now.interfaces {
        let was = before.interfaces.iter().find(|was| was.index == interface.index);
        match was {
            None => changes.push(Change::new(Level::Info, format!("attached to {}", interface.name))),
            Some(was) if was.name != interface.name => {
                changes.push(Change::new(Level::Warning, format!("interface {} is now {}", was.name, interface.name)));
            }
            Some(was) if was.mode != interface.mode => {
                let text = format!("{}: mode {}, was {}", interface.name, interface.mode, was.mode);
                changes.push(Change::new(Level::Warning, text));
            }
            Some(_) => {}
        }
    }
    for was in &before.interfaces {
        if !now.interfaces.iter().any(|interface| interface.index == was.index) {
            changes.push(Change::new(Level::Warning, format!("detached from {}", was.name)));
        }
    }
    changes
}

fn services(before: &[ServiceView], now: &[ServiceView]) -> Vec<Change> {
    let was: HashMap<_, _> = before.iter().map(|service| (service.name.as_str(), service)).collect();
    let is: HashMap<_, _> = now.iter().map(|service| (service.name.as_str(), service)).collect();
    let mut changes = Few::default();
    for service in now {
        match was.get(service.name.as_str()) {
            None => changes.add(Level::Info, || format!("service {} added", service.name)),
            Some(was) => servers(was, service, &mut changes),
        }
    }
    for service in before {
        if !is.contains_key(service.name.as_str()) {
            changes.add(Level::Info, || format!("service {} removed", service.name));
        }
    }
    changes.done()
}

fn servers(before: &ServiceView, now: &ServiceView, changes: &mut Few) {
    let was: HashMap<_, _> = before.servers.iter().map(|server| (server.address, server)).collect();
    let is: HashMap<_, _> = now.servers.iter().map(|server| (server.address, server)).collect();
    let name = &now.name;
    for server in &now.servers {
        let (address, state) = (server.address, state(server));
        match was.get(&address) {
            None => changes.add(Level::Info, || format!("{name}: {address} added, {state}")),
            Some(was) if self::state(was) != state => {
                let level = if state == "up" { Level::Info } else { Level::Warning };
                changes.add(level, || format!("{name}: {address} is {state}, was {}", self::state(was)));
            }
            Some(was) if was.mac != server.mac => {
                let mac = server.mac.map_or_else(|| "unknown".to_owned(), |mac| mac.to_string());
                changes.add(Level::Info, || format!("{name}: {address} is now at MAC {mac}"));
            }
            Some(_) => {}
        }
    }
    for server in &before.servers {
        if !is.contains_key(&server.address) {
            changes.add(Level::Info, || format!("{name}: {} removed", server.address));
        }
    }
}

/// The first changes, and the number of the others.
#[derive(Default)]
struct Few {
    changes: Vec<Change>,
    more: usize,
}

impl Few {
    fn add(&mut self, level: Level, text: impl FnOnce() -> String) {
        if self.changes.len() < MOST {
            self.changes.push(Change::new(level, text()));
        } else {
            self.more += 1;
        }
    }

    fn done(mut self) -> Vec<Change> {
        if self.more > 0 {
            self.changes
                .push(Change::new(Level::Info, format!("and {} more changes of services and servers", self.more)));
        }
        self.changes
    }
}
