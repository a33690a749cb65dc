//! What changes in a service's list of servers.

use std::iter;

use lb_common::mac::Mac;

use super::change::Change;
use crate::config::model::{ByHand, Health, Positions, Server, ServerMac, Service, health};

/// Servers that are removed, changed, added, or reordered.
pub(super) fn list_changes(have: &Service, want: &Service) -> Vec<Change> {
    // Former servers follow those that are listed, so positions are the same in both.
    let [before, after] = [have, want].map(|service| Positions::new(service.listed().map(|server| server.address)));
    let name = || want.name.clone();
    let removed = have.listed().enumerate().filter(|(index, server)| after.find(server.address, *index).is_none());
    let mut changes: Vec<_> =
        removed.map(|(_, server)| Change::ServerRemoved { service: name(), server: server.address }).collect();
    let (mut positions, mut is_new) = (Vec::new(), Vec::new());
    for (index, server) in want.listed().enumerate() {
        let position = before.find(server.address, index);
        is_new.push(position.is_none());
        let Some(position) = position else { continue };
        positions.push(position);
        let before = &have.servers[position];
        if !is_same(before, server) {
            changes.extend(server_changes(&want.name, before, server));
            changes.extend(brought_back(&want.name, before, server));
        }
    }
    let added = want.listed().zip(&is_new).filter(|(_, is_new)| **is_new);
    changes.extend(added.map(|(server, _)| Change::ServerAdded { service: name(), server: server.address }));
    // A new one before one that stays gives that another position.
    if !positions.is_sorted() || !is_new.is_sorted() {
        changes.push(Change::Reordered { service: name() });
    }
    changes
}

/// Whether nothing changes that is configured, which is so for nearly all servers of a long list.
fn is_same(have: &Server, want: &Server) -> bool {
    let configured = |server: &Server| {
        // The rest of health is found out, not configured.
        let Server { address: _, mac, vlan, weight, state, health } = *server;
        (mac, vlan, weight, state, health.by_hand)
    };
    configured(have) == configured(want)
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
