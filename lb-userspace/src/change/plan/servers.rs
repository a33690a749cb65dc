//! What changes in a service's list of servers.

use std::{collections::HashMap, iter, net::IpAddr};

use lb_common::mac::Mac;

use super::change::Change;
use crate::config::model::{ByHand, Health, Server, ServerMac, Service, health};

/// The positions of a service's servers.
fn by_address(service: &Service) -> HashMap<IpAddr, usize> {
    service.listed().enumerate().map(|(index, server)| (server.address, index)).collect()
}

/// Servers that are removed, changed, added, or reordered.
pub(super) fn list_changes(have: &Service, want: &Service) -> Vec<Change> {
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
