//! The difference between two configurations. Pure.

use std::{collections::HashMap, fmt, iter, net::IpAddr};

use lb_common::mac::Mac;
use serde::{Serialize, Serializer};

use crate::config::model::{Check, Config, Group, Selection, Server, ServerMac, Service};

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
    /// A setting of a member or its group changes.
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
    /// Servers that stay are in another order, which the formula goes by.
    Reordered {
        /// The service's name.
        service: String,
    },
    /// A consequence: flows of servers that stay move to others.
    FlowsMove {
        /// The service's name.
        service: String,
        /// N before.
        from: u32,
        /// N after.
        to: u32,
        /// How many flows.
        #[serde(serialize_with = "as_text")]
        share: Share,
    },
}

/// How many flows move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Share {
    /// All but about one in N.
    Most,
    /// About this part of the whole, by weights.
    About(u32, u32),
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Most => f.write_str("most flows move to another server"),
            Self::About(part, whole) => write!(f, "about {part}/{whole} of the flows move to another server"),
        }
    }
}

fn as_text<S: Serializer>(share: &Share, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(share)
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

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingChanged { setting, from, to } => write!(f, "~ {setting} {from} → {to}"),
            Self::ServiceAdded { service, target, servers } => {
                let plural = if *servers == 1 { "" } else { "s" };
                write!(f, "+ service {service}: {target}, {servers} server{plural}")
            }
            Self::ServiceRemoved { service } => write!(f, "- service {service}"),
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
            Self::Reordered { service } => write!(f, "~ service {service}: order of the servers"),
            Self::FlowsMove { service, from, to, share } if from == to => write!(f, "! service {service}: {share}"),
            Self::FlowsMove { service, from, to, share } => write!(f, "! service {service}: N {from} → {to}, {share}"),
        }
    }
}

/// The changes from `have` to `want`.
///
/// Interfaces are left out: `attach` and `detach` change them. So are MACs on both sides that are found through the
/// neighbour table. If one side's MAC is configured and the other's is found, they count only if they differ.
pub fn diff(have: &Config, want: &Config) -> Plan {
    let Config { interfaces: _, role: _, group, services } = want;
    let (before, after) = (by_name(have), by_name(want));
    let removed = have.services.iter().filter(|service| !after.contains_key(service.name.as_str()));
    let mut changes = setting_changes(&have.group, group);
    changes.extend(removed.map(|service| Change::ServiceRemoved { service: service.name.clone() }));
    for service in services {
        if let Some(before) = before.get(service.name.as_str()) {
            changes.extend(service_changes(before, service));
        }
    }
    let added = services.iter().filter(|service| !before.contains_key(service.name.as_str()));
    changes.extend(added.map(|service| Change::ServiceAdded {
        service: service.name.clone(),
        target: service.target(),
        servers: service.servers.len(),
    }));
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
    changes.extend(list_changes(have, want));
    changes.extend(flows_move(have, want));
    changes
}

/// Every property of a service as text, except its name, which identifies it, and its servers.
fn properties(service: &Service) -> [(&'static str, String); 6] {
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
        check,
        servers: _,
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
        ("check", check.as_ref().map_or_else(|| "none".to_owned(), Check::summary)),
        ("fragments", fragments.name().to_owned()),
    ]
}

/// The positions of a service's servers.
fn by_address(service: &Service) -> HashMap<IpAddr, usize> {
    service.servers.iter().enumerate().map(|(index, server)| (server.address, index)).collect()
}

/// Servers that are removed, changed, added, or reordered.
fn list_changes(have: &Service, want: &Service) -> Vec<Change> {
    let (before, after) = (by_address(have), by_address(want));
    let name = || want.name.clone();
    let removed = have.servers.iter().filter(|server| !after.contains_key(&server.address));
    let mut changes: Vec<_> =
        removed.map(|server| Change::ServerRemoved { service: name(), server: server.address }).collect();
    let mut positions = Vec::new();
    for server in &want.servers {
        if let Some(&index) = before.get(&server.address) {
            positions.push(index);
            changes.extend(server_changes(&want.name, &have.servers[index], server));
        }
    }
    let is_new = |server: &Server| !before.contains_key(&server.address);
    let added = want.servers.iter().filter(|server| is_new(server));
    changes.extend(added.map(|server| Change::ServerAdded { service: name(), server: server.address }));
    if !positions.is_sorted() || new_before_old(want, is_new) {
        changes.push(Change::Reordered { service: name() });
    }
    changes
}

/// Whether a new server stands before one that stays, which then has another position.
fn new_before_old(want: &Service, is_new: impl Fn(&Server) -> bool) -> bool {
    let first = want.servers.iter().position(&is_new);
    first.is_some_and(|first| want.servers[first..].iter().any(|server| !is_new(server)))
}

fn server_changes(service: &str, have: &Server, want: &Server) -> Vec<Change> {
    let ([weight, rest @ ..], [new_weight, new_rest @ ..]) = (server_properties(have), server_properties(want));
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
fn server_properties(server: &Server) -> [(&'static str, String); 3] {
    // Health is found out, not configured.
    let Server { address: _, mac: _, vlan, weight, state, health: _ } = server;
    [
        ("weight", weight.to_string()),
        ("vlan", vlan.map_or_else(|| "as it comes".to_owned(), |vlan| vlan.to_string())),
        ("state", state.name().to_owned()),
    ]
}

/// The MACs to compare, if at least one of them is configured.
const fn configured_macs(have: ServerMac, want: ServerMac) -> Option<(Mac, Mac)> {
    match (have, want) {
        (ServerMac::Given(from), ServerMac::Given(to) | ServerMac::Resolved(to))
        | (ServerMac::Resolved(from), ServerMac::Given(to)) => Some((from, to)),
        (ServerMac::Given(_), ServerMac::Unresolved)
        | (ServerMac::Resolved(_), ServerMac::Resolved(_) | ServerMac::Unresolved)
        | (ServerMac::Unresolved, _) => None,
    }
}

/// A warning if the formula moves flows of servers that stay.
fn flows_move(have: &Service, want: &Service) -> Option<Change> {
    let entries = |service: &Service| -> Vec<(IpAddr, u32)> {
        service.servers.iter().map(|server| (server.address, server.weight)).collect()
    };
    let (before, after) = (entries(have), entries(want));
    // Without servers on one side, no flow moves from one server to another.
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let same = before == after;
    let share = match (have.selection, want.selection) {
        _ if have.formula != want.formula => Share::Most,
        (Selection::Modulo, Selection::Modulo) if same => return None,
        (Selection::Resilient { slots: from }, Selection::Resilient { slots: to }) if from == to => {
            let changed = difference(&before, &after) + difference(&after, &before);
            if changed == 0 {
                return None;
            }
            Share::About(changed.min(have.n().max(want.n())), have.n().max(want.n()))
        }
        _ => Share::Most,
    };
    Some(Change::FlowsMove { service: want.name.clone(), from: have.n(), to: want.n(), share })
}

/// The sum of the weights that `a` has in excess of `b`.
fn difference(a: &[(IpAddr, u32)], b: &[(IpAddr, u32)]) -> u32 {
    let weight = |address| b.iter().find(|(other, _)| *other == address).map_or(0, |(_, weight)| *weight);
    a.iter().map(|(address, own)| own.saturating_sub(weight(*address))).sum()
}
