//! The difference between two configurations. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use serde::Serialize;

use self::{change::PREVIOUS, moves::Moves, servers::list_changes};
use super::emptied::empties;
use crate::config::model::{Check, Config, Group, Peer, Selection, Service};

mod change;
mod moves;
mod servers;
#[cfg(test)]
mod tests;

pub use change::Change;

/// The changes, in the order of printing: removed, changed, added.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

/// The changes from `have` to `want`.
///
/// Interfaces are left out: `attach` and `detach` change them. So are MACs on both sides that are found through the
/// neighbour table. If one side's MAC is configured and the other's is found, they count only if they differ.
pub fn diff(have: &Config, want: &Config) -> Plan {
    let Config { interfaces: _, role, group, max_hand_ons: _, peers, services } = want;
    let (before, after) = (by_name(have), by_name(want));
    let removed = have.services.iter().filter(|service| !after.contains_key(service.name.as_str()));
    let mut changes = setting_changes(&have.group, group);
    changes.extend(limit_change(have.hand_on_limit(), want.hand_on_limit()));
    changes.extend(peers_change(&have.peers, peers));
    changes.extend(removed.map(|service| Change::ServiceRemoved { service: service.name.clone() }));
    let mut moves = Moves::new(*role);
    for service in services {
        if let Some(before) = before.get(service.name.as_str()) {
            changes.extend(service_changes(before, service));
            changes.extend(flows_move(before, service, &mut moves));
        }
    }
    let added = services.iter().filter(|service| !before.contains_key(service.name.as_str()));
    changes.extend(added.map(|service| Change::ServiceAdded {
        service: service.name.clone(),
        target: service.target(),
        servers: service.listed().count(),
    }));
    changes.extend(empties(have, want).then_some(Change::Emptied));
    Plan { changes }
}

/// An index, as comparing all pairs of names is slow with thousands of services.
fn by_name(config: &Config) -> HashMap<&str, &Service> {
    config.services.iter().map(|service| (service.name.as_str(), service)).collect()
}

fn setting_changes(have: &Group, want: &Group) -> Vec<Change> {
    let (had, wanted) = (settings(have), settings(want));
    let changed = had.into_iter().zip(wanted).filter(|((_, from), (_, to))| from != to);
    changed.map(|((setting, from), (_, to))| Change::SettingChanged { setting, from, to }).collect()
}

fn limit_change(from: u32, to: u32) -> Option<Change> {
    let change = || Change::SettingChanged { setting: "max_hand_ons", from: from.to_string(), to: to.to_string() };
    (from != to).then(change)
}

/// Peers whose order changes are the same peers.
fn peers_change(have: &[Peer], want: &[Peer]) -> Option<Change> {
    let text = |peers: &[Peer]| {
        // MACs are found out, not configured.
        let addresses: BTreeSet<_> = peers.iter().map(|Peer { address, mac: _ }| *address).collect();
        let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let (from, to) = (text(have), text(want));
    (from != to).then_some(Change::SettingChanged { setting: "peers", from, to })
}

/// Every setting of a member, as text.
fn settings(group: &Group) -> [(&'static str, String); 4] {
    let Group { own, mac, promiscuous, answer_arp } = group;
    let own = match &own[..] {
        [] => "found".to_owned(),
        own => own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    [
        ("self", own),
        ("group_mac", mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string())),
        ("promiscuous", promiscuous.to_string()),
        ("answer_arp", answer_arp.to_string()),
    ]
}

fn service_changes(have: &Service, want: &Service) -> Vec<Change> {
    let changed = properties(have).into_iter().zip(properties(want)).filter(|((_, from), (_, to))| from != to);
    let mut changes: Vec<_> = changed
        .map(|((property, from), (_, to))| Change::ServiceChanged { service: want.name.clone(), property, from, to })
        .collect();
    changes.extend(previous_change(have, want));
    changes.extend(list_changes(have, want));
    changes
}

/// Their number is shown, as lists are long.
fn previous_change(have: &Service, want: &Service) -> Option<Change> {
    let number = |service: &Service| service.previous.len().to_string();
    (have.previous != want.previous).then(|| Change::ServiceChanged {
        service: want.name.clone(),
        property: PREVIOUS,
        from: number(have),
        to: number(want),
    })
}

/// Every property of a service as text, except its name, which identifies it, and its servers, those of now and before.
fn properties(service: &Service) -> [(&'static str, String); 7] {
    // The destination covers address, protocol and port.
    let Service {
        name: _,
        address: _,
        protocol: _,
        port: _,
        formula,
        selection,
        fragments,
        direction,
        sockets,
        check,
        servers: _,
        previous: _,
    } = service;
    let selection = match selection {
        Selection::Modulo => selection.name().to_owned(),
        Selection::Resilient { slots } => format!("{} ({slots} slots)", selection.name()),
    };
    [
        ("destination", service.target()),
        ("formula", formula.name().to_owned()),
        ("selection", selection),
        ("direction", direction.name().to_owned()),
        ("sockets", sockets.as_ref().map_or_else(|| "here".to_owned(), |sockets| sockets.netns.to_string())),
        ("check", check.as_ref().map_or_else(|| "none".to_owned(), Check::summary)),
        ("fragments", fragments.name().to_owned()),
    ]
}

/// A consequence of other lists, another selection or another formula.
fn flows_move<'a>(have: &'a Service, want: &'a Service, moves: &mut Moves<'a>) -> Option<Change> {
    let moved = moves.between(have, want)?;
    Some(Change::FlowsMove {
        service: want.name.clone(),
        from: have.n(),
        to: want.n(),
        share: moved.to_string(),
        percent: moved.percent,
        covered_percent: moved.covered,
    })
}
