//! The previous lists that a new configuration needs, so that servers in role `keep` find the connections of the old
//! one. Pure.

use std::collections::HashMap;

use lb_common::limits::MAX_PREVIOUS;

use crate::config::model::{Config, PreviousServer, Server, ServerMac, Service, State};

/// For each service of `new` its previous lists, the newest first; `None`: what it has stays.
pub fn previous_lists(old: &Config, new: &Config) -> Vec<Option<Vec<Vec<PreviousServer>>>> {
    let by_name: HashMap<_, _> = old.services.iter().map(|service| (service.name.as_str(), service)).collect();
    let by_destination: HashMap<_, _> = old.services.iter().map(|service| (destination(service), service)).collect();
    let previous = |service: &Service| {
        let before = by_name.get(service.name.as_str()).or_else(|| by_destination.get(&destination(service)))?;
        // Servers of the other family cannot have its connections.
        if before.address.addr().is_ipv4() != service.address.addr().is_ipv4() {
            return None;
        }
        lists(before, service)
    };
    new.services.iter().map(previous).collect()
}

/// What identifies a service that has another name now.
const fn destination(service: &Service) -> (ipnet::IpNet, Option<u8>, Option<u16>) {
    (service.address, service.protocol, service.port)
}

fn lists(old: &Service, new: &Service) -> Option<Vec<Vec<PreviousServer>>> {
    let decisive = |service: &Service| -> Vec<_> {
        service.listed().map(|server| (server.address, server.weight, server.state)).collect()
    };
    if decisive(old) == decisive(new) {
        return (new.previous.is_empty() && !old.previous.is_empty()).then(|| old.previous.clone());
    }
    let last: Vec<_> = old.listed().map(as_previous).collect();
    let mut lists: Vec<_> = Some(last).filter(|list| !list.is_empty()).into_iter().collect();
    lists.extend(old.previous.iter().cloned());
    lists.dedup();
    lists.truncate(MAX_PREVIOUS);
    Some(lists)
}

/// A server as a later configuration lists it.
const fn as_previous(server: &Server) -> PreviousServer {
    // Findings are not in files, and packets keep their VLAN when servers hand them on.
    let Server { address, mac, vlan: _, weight, state, health: _ } = *server;
    PreviousServer {
        address,
        mac: match mac {
            ServerMac::Given(mac) => Some(mac),
            ServerMac::Resolved { .. } | ServerMac::Unresolved => None,
        },
        weight,
        idle: matches!(state, State::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    /// A service with these servers and lists, each like `10.0.0.1 weight 2 down`.
    fn service(name: &str, address: &str, servers: &[&str], lists: &[&[&str]]) -> String {
        let list =
            |list: &[&str]| format!("[{}]", list.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(","));
        let lists: Vec<_> = lists.iter().map(|servers| list(servers)).collect();
        let servers: String = servers
            .iter()
            .map(|text| {
                let PreviousServer { address, mac, weight, idle } = text.parse().unwrap();
                let mac = mac.map_or_else(String::new, |mac| format!("mac = \"{mac}\"\n"));
                let state = if idle { "down" } else { "up" };
                format!("[[service.server]]\naddress = \"{address}\"\n{mac}weight = {weight}\nstate = \"{state}\"\n")
            })
            .collect();
        let lists = lists.join(",");
        format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprevious = [{lists}]\n{servers}")
    }

    /// The lists of the only service of `new`, as text.
    fn transition(old: &str, new: &str) -> Option<Vec<Vec<String>>> {
        let [lists] = &previous_lists(&file::parse(old).unwrap(), &file::parse(new).unwrap())[..] else { panic!() };
        let text = |list: &Vec<PreviousServer>| list.iter().map(ToString::to_string).collect();
        lists.as_ref().map(|lists| lists.iter().map(text).collect())
    }

    #[test]
    fn the_old_list_comes_first() {
        for (vip, a, b, c) in
            [("203.0.113.10", "10.0.0.1", "10.0.0.2", "10.0.0.3"), ("fd00::10", "fd00::1", "fd00::2", "fd00::3")]
        {
            let (a, mac) = (format!("{a} weight 2 down"), format!("{b} mac 02:00:00:00:00:02"));
            let old = service("web", vip, &[&a, &mac], &[&[c], &[b, c]]);
            let new = service("web", vip, &[c], &[]);
            assert_eq!(transition(&old, &new).unwrap(), [vec![a.as_str(), &mac], vec![c], vec![b, c]]);
        }
    }

    #[test]
    fn every_difference_of_the_servers_counts() {
        let with = |servers: &[&str]| service("web", "203.0.113.10", servers, &[]);
        let old = ["10.0.0.1", "10.0.0.2"];
        for new in [
            &["10.0.0.1"][..],
            &["10.0.0.2", "10.0.0.1"],
            &["10.0.0.1 weight 2", "10.0.0.2"],
            &["10.0.0.1 down", "10.0.0.2"],
            &[],
        ] {
            assert_eq!(transition(&with(&old), &with(new)).unwrap(), [old]);
        }
        assert_eq!(transition(&with(&old), &with(&old)), None);
        // A MAC does not decide.
        assert_eq!(transition(&with(&old), &with(&["10.0.0.1 mac 02:00:00:00:00:01", "10.0.0.2"])), None);
        assert_eq!(transition(&with(&[]), &with(&old)).unwrap(), Vec::<Vec<String>>::new(), "there was no server");
    }

    #[test]
    fn an_unchanged_service_keeps_its_lists() {
        let with = |lists: &[&[&str]]| service("web", "203.0.113.10", &["10.0.0.1"], lists);
        assert_eq!(transition(&with(&[&["10.0.0.2"]]), &with(&[])).unwrap(), [["10.0.0.2"]]);
        assert_eq!(transition(&with(&[&["10.0.0.2"]]), &with(&[&["10.0.0.3"]])), None);
    }

    /// In role `keep` a service also has the servers that only previous lists name.
    #[test]
    fn former_servers_are_in_no_list_of_their_own() {
        let keep = |text: String| format!("role = \"keep\"\n{text}");
        let old = keep(service("web", "203.0.113.10", &["10.0.0.1"], &[&["10.0.0.1", "10.0.0.2"]]));
        let new = keep(service("web", "203.0.113.10", &["10.0.0.3"], &[]));
        assert_eq!(transition(&old, &new).unwrap(), [vec!["10.0.0.1"], vec!["10.0.0.1", "10.0.0.2"]]);
        let same = keep(service("web", "203.0.113.10", &["10.0.0.1"], &[]));
        assert_eq!(transition(&old, &same).unwrap(), [["10.0.0.1", "10.0.0.2"]], "the list is the same");
    }

    #[test]
    fn there_are_at_most_eight_lists_and_no_repetition() {
        let lists: Vec<Vec<&str>> = (0..8).map(|number| vec![["10.0.0.1", "10.0.0.2"][number % 2]]).collect();
        let lists: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
        let old = |server| service("web", "203.0.113.10", &[server], &lists);
        let new = service("web", "203.0.113.10", &["10.0.0.9"], &[]);
        let found = transition(&old("10.0.0.2"), &new).unwrap();
        assert_eq!(
            (found.len(), &found[0][0], &found[1][0], &found[7][0]),
            (8, &"10.0.0.2".to_owned(), &"10.0.0.1".to_owned(), &"10.0.0.1".to_owned())
        );
        let found = transition(&old("10.0.0.1"), &new).unwrap();
        assert_eq!((found.len(), &found[0][0], &found[1][0]), (8, &"10.0.0.1".to_owned(), &"10.0.0.2".to_owned()));
    }

    #[test]
    fn a_service_is_found_by_name_then_by_destination() {
        let old =
            service("web", "203.0.113.10", &["10.0.0.1"], &[]) + &service("dns", "203.0.113.11", &["10.0.0.2"], &[]);
        let new = |name, address| service(name, address, &["10.0.0.9"], &[]);
        assert_eq!(transition(&old, &new("dns", "203.0.113.10")).unwrap(), [["10.0.0.2"]]);
        assert_eq!(transition(&old, &new("shop", "203.0.113.10")).unwrap(), [["10.0.0.1"]]);
        assert_eq!(transition(&old, &new("shop", "203.0.113.99")), None);
        let six = service("web", "fd00::10", &["fd00::1"], &[]);
        assert_eq!(transition(&old, &six), None, "of another family");
    }
}
