//! Who may hold a connection in a group, all of whose members receive every packet: so nothing is handed on.
//!
//! The member that has the socket accepts. The owner accepts what opens a connection, and what no other member may
//! hold. Those that may are fewer than in role `keep`: whoever might hold a connection silences the owner, and a
//! connection that nobody has any more should end by the owner's reset.

use lb_common::flow::protocol::TCP;

use super::{
    holders::{Holder, Reason},
    ranking::{Entry, NONE},
};
use crate::config::model::{Direction, Server, Service};

/// How many servers that follow the owner in the present ranking count if they are draining.
const NEXT: usize = 3;

/// Whether members may hold connections of flows that others own: the service has previous lists, or a server that is
/// taken down.
///
/// Services that are prefixes or take replies are those of routers, which have no sockets.
pub fn is_shared(service: &Service) -> bool {
    let changed = !service.previous.is_empty() || service.listed().any(Server::is_down);
    let ends_here = service.direction == Direction::Forward && !service.is_prefix();
    changed && ends_here && service.protocol.is_none_or(|protocol| protocol == TCP)
}

/// The servers of a list's entry that may hold its flows' connections, though others own the flows now. List 0 is the
/// present one.
pub fn others<'a>(
    list: usize,
    entry: &'a Entry,
    is_draining: impl Fn(u16) -> bool + 'a,
) -> impl Iterator<Item = Holder> + 'a {
    let (first, reason) = match list {
        0 => (NONE, Reason::NextNow),
        _ => (entry[0], Reason::NextThen(list)),
    };
    let next = if list == 0 { NEXT } else { 1 };
    let owner = (first != NONE).then_some(Holder { server: first, reason: Reason::OwnerThen(list) });
    let next = entry[1..].iter().take(next).copied().filter(move |server| *server != NONE && is_draining(*server));
    owner.into_iter().chain(next.map(move |server| Holder { server, reason }))
}

/// The servers that may hold a flow's connection, from the entry of each list: the owner now, then the others, each
/// once.
pub fn holders(entries: &[Entry], is_draining: impl Fn(u16) -> bool) -> Vec<Holder> {
    let owner = entries.first().map_or(NONE, |now| now[0]);
    let mut found: Vec<_> =
        (owner != NONE).then_some(Holder { server: owner, reason: Reason::OwnerNow }).into_iter().collect();
    for holder in (0..).zip(entries).flat_map(|(list, entry)| others(list, entry, &is_draining)) {
        if found.iter().all(|known| known.server != holder.server) {
            found.push(holder);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{file::parse_for, model::Role},
        decide::keep::ranking::DEPTH,
    };

    fn entry(servers: &[u16]) -> Entry {
        let mut entry = [NONE; DEPTH];
        entry[..servers.len()].copy_from_slice(servers);
        entry
    }

    fn found(entries: &[Entry], draining: &[u16]) -> Vec<(u16, Reason)> {
        let holders = holders(entries, |server| draining.contains(&server));
        holders.into_iter().map(|holder| (holder.server, holder.reason)).collect()
    }

    #[test]
    fn owners_of_previous_lists_and_draining_servers_count() {
        let now = entry(&[1, 2, 3, 4, 5]);
        assert_eq!(found(&[now], &[]), [(1, Reason::OwnerNow)]);
        assert_eq!(found(&[now], &[3, 5]), [(1, Reason::OwnerNow), (3, Reason::NextNow)]);
        let then = [entry(&[1, 4]), entry(&[6, 1, 2]), entry(&[NONE, 5])];
        let entries = [&[now][..], &then].concat();
        assert_eq!(found(&entries, &[]), [(1, Reason::OwnerNow), (6, Reason::OwnerThen(2))]);
        let draining = [(1, Reason::OwnerNow), (6, Reason::OwnerThen(2)), (5, Reason::NextThen(3))];
        assert_eq!(found(&entries, &[5]), draining);
        assert_eq!(found(&[entry(&[NONE, 2]), entry(&[3])], &[2]), [(2, Reason::NextNow), (3, Reason::OwnerThen(1))]);
    }

    #[test]
    fn only_changed_services_that_end_here_are_shared() {
        let is_shared = |keys: &str, state: &str| {
            let text = format!(
                "[[service]]\nname = \"web\"\n{keys}\n[[service.server]]\naddress = \"10.0.0.1\"\nstate = \"{state}\""
            );
            super::is_shared(&parse_for(&text, Some(Role::Member)).unwrap().services[0])
        };
        let previous = "previous = [[\"10.0.0.2\"]]";
        let web = "address = \"203.0.113.10\"";
        for (keys, expected) in [
            ("protocol = \"tcp\"\nport = 80", true),
            ("", true),
            ("protocol = \"udp\"", false),
            ("direction = \"both\"", false),
        ] {
            assert_eq!(is_shared(&format!("{web}\n{keys}\n{previous}"), "up"), expected, "{keys}");
            assert_eq!(is_shared(&format!("{web}\n{keys}"), "down"), expected, "{keys}");
            assert!(!is_shared(&format!("{web}\n{keys}"), "up"), "{keys}");
        }
        assert!(!is_shared(&format!("address = \"203.0.113.0/24\"\n{previous}"), "up"));
    }
}
