//! The difference between two configurations. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    fmt, iter,
    net::IpAddr,
};

use lb_common::mac::Mac;
use serde::Serialize;

use self::moves::Moves;
use super::emptied::empties;
use crate::config::model::{ByHand, Check, Config, Group, Health, Peer, Selection, Server, ServerMac, Service, health};

mod moves;
#[cfg(test)]
mod tests;

/// The changes, in the order of printing: removed, changed, added.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A setting of the host changes: of a member or its group, a limit, or a balancer's peers.
    SettingChanged {
        /// The key.
        setting: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A service is added.
    ServiceAdded {
        /// Its name.
        service: String,
        /// Its destination.
        target: String,
        /// How many servers it has.
        servers: usize,
    },
    /// A service is removed.
    ServiceRemoved {
        /// Its name.
        service: String,
    },
    /// A property of a service changes.
    ServiceChanged {
        /// Its name.
        service: String,
        /// The property.
        property: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A server is added.
    ServerAdded {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
    },
    /// A server is removed.
    ServerRemoved {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
    },
    /// A property of a server changes.
    ServerChanged {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
        /// The property.
        property: &'static str,
        /// What it was.
        from: String,
        /// What it becomes.
        to: String,
    },
    /// A consequence: a server that was taken down by hand takes flows again.
    BroughtBack {
        /// The service's name.
        service: String,
        /// The server.
        server: IpAddr,
        /// Since when it has been down, in seconds since the epoch; 0: not known.
        down_since: u64,
    },
    /// Servers that stay are in another order, which the formula goes by.
    Reordered {
        /// The service's name.
        service: String,
    },
    /// A consequence: nothing is left to balance.
    Emptied,
    /// A consequence: flows move to other servers.
    FlowsMove {
        /// The service's name.
        service: String,
        /// N before.
        from: u32,
        /// N after.
        to: u32,
        /// How many flows, and how many of them `previous` covers, in words.
        share: String,
        /// How many of 100 flows.
        percent: u32,
        /// How many of 100 flows that move have their former owner in the lists of `previous`; `None`: the role does
        /// not go by them.
        #[serde(skip_serializing_if = "Option::is_none")]
        covered_percent: Option<u32>,
    },
}

/// What the property is called that earlier server lists are.
const PREVIOUS: &str = "previous lists";

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

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingChanged { setting, from, to } => write!(f, "~ {setting} {from} → {to}"),
            Self::ServiceAdded { service, target, servers } => {
                let plural = if *servers == 1 { "" } else { "s" };
                write!(f, "+ service {service}: {target}, {servers} server{plural}")
            }
            Self::ServiceRemoved { service } => write!(f, "- service {service}"),
            Self::ServiceChanged { service, property: PREVIOUS, from, to } => {
                write!(f, "~ service {service}: {PREVIOUS} changed ({from} → {to})")
            }
            Self::ServiceChanged { service, property, from, to } => {
                write!(f, "~ service {service}: {property} {from} → {to}")
            }
            Self::ServerAdded { service, server } => write!(f, "+ server {service} {server}"),
            Self::ServerRemoved { service, server } => write!(f, "- server {service} {server}"),
            Self::ServerChanged { service, server, property: "state", to, .. } => {
                write!(f, "~ server {service} {server}: {to}")
            }
            Self::ServerChanged { service, server, property, from, to } => {
                write!(f, "~ server {service} {server}: {property} {from} → {to}")
            }
            Self::BroughtBack { service, server, down_since: 0 } => {
                write!(f, "! brings back {service} {server}, which was taken down by hand")
            }
            Self::BroughtBack { service, server, down_since } => {
                let ago = health::span(health::now().saturating_sub(*down_since));
                write!(f, "! brings back {service} {server}, which was taken down by hand {ago} ago")
            }
            Self::Reordered { service } => write!(f, "~ service {service}: order of the servers"),
            Self::Emptied => f.write_str("! no server is left in any service: nothing is balanced any more"),
            Self::FlowsMove { service, from, to, share, .. } if from == to => write!(f, "! service {service}: {share}"),
            Self::FlowsMove { service, from, to, share, .. } => {
                write!(f, "! service {service}: N {from} → {to}, {share}")
            }
        }
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

/// The positions of a service's servers.
fn by_address(service: &Service) -> HashMap<IpAddr, usize> {
    service.listed().enumerate().map(|(index, server)| (server.address, index)).collect()
}

/// Servers that are removed, changed, added, or reordered.
fn list_changes(have: &Service, want: &Service) -> Vec<Change> {
    let (before, after) = (by_address(have), by_address(want));
    let name = || want.name.clone();
    let removed = have.listed().filter(|server| !after.contains_key(&server.address));
    let mut changes: Vec<_> =
        removed.map(|server| Change::ServerRemoved { service: name(), server: server.address }).collect();
    let mut positions = Vec::new();
    for server in want.listed() {
        if let Some(&index) = before.get(&server.address) {
            positions.push(index);
            changes.extend(server_changes(&want.name, &have.servers[index], server));
            changes.extend(brought_back(&want.name, &have.servers[index], server));
        }
    }
    let is_new = |server: &Server| !before.contains_key(&server.address);
    let added = want.listed().filter(|server| is_new(server));
    changes.extend(added.map(|server| Change::ServerAdded { service: name(), server: server.address }));
    if !positions.is_sorted() || new_before_old(want, is_new) {
        changes.push(Change::Reordered { service: name() });
    }
    changes
}

/// Whether a new server stands before one that stays, which then has another position.
fn new_before_old(want: &Service, is_new: impl Fn(&Server) -> bool) -> bool {
    want.listed().skip_while(|server| !is_new(server)).any(|server| !is_new(server))
}

/// Whether a file brings back a server that a command took down. What a command itself changes, it does by hand.
fn brought_back(service: &str, have: &Server, want: &Server) -> Option<Change> {
    let Health { by_hand, down_since, .. } = have.health;
    (by_hand == Some(ByHand::NextFile) && have.is_down() && !want.is_down() && want.health.by_hand.is_none())
        .then(|| Change::BroughtBack { service: service.to_owned(), server: want.address, down_since })
}

fn server_changes(service: &str, have: &Server, want: &Server) -> Vec<Change> {
    let now = health::now();
    let ([weight, rest @ ..], [new_weight, new_rest @ ..]) =
        (server_properties(have, now), server_properties(want, now));
    let macs = configured_macs(have.mac, want.mac);
    let macs = macs.map(|(from, to)| (("mac", from.to_string()), ("mac", to.to_string())));
    let pairs = iter::once((weight, new_weight)).chain(macs).chain(rest.into_iter().zip(new_rest));
    let changed = pairs.filter(|((_, from), (_, to))| from != to);
    changed
        .map(|((property, from), (_, to))| Change::ServerChanged {
            service: service.to_owned(),
            server: want.address,
            property,
            from,
            to,
        })
        .collect()
}

/// Every property of a server as text, except its address, which identifies it, and its MAC, for which see
/// [`configured_macs`].
fn server_properties(server: &Server, now: u64) -> [(&'static str, String); 3] {
    // The rest of health is found out, not configured.
    let Server { address: _, mac: _, vlan, weight, state, health } = server;
    let state = match health.by_hand {
        Some(by_hand) if by_hand.outlasts_files() => format!("down {}", by_hand.lasts(now)),
        Some(_) | None => state.name().to_owned(),
    };
    [
        ("weight", weight.to_string()),
        ("vlan", vlan.map_or_else(|| "as it comes".to_owned(), |vlan| vlan.to_string())),
        ("state", state),
    ]
}

/// The MACs to compare, if at least one of them is configured.
const fn configured_macs(have: ServerMac, want: ServerMac) -> Option<(Mac, Mac)> {
    match (have, want) {
        (ServerMac::Given(from), ServerMac::Given(to) | ServerMac::Resolved { mac: to, .. })
        | (ServerMac::Resolved { mac: from, .. }, ServerMac::Given(to)) => Some((from, to)),
        (ServerMac::Given(_), ServerMac::Unresolved)
        | (ServerMac::Resolved { .. }, ServerMac::Resolved { .. } | ServerMac::Unresolved)
        | (ServerMac::Unresolved, _) => None,
    }
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
