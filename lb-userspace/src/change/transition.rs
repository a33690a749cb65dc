//! The previous lists that a new configuration needs, so that servers in role `keep` find the connections of the old
//! one. Pure.

use std::{collections::HashMap, net::IpAddr};

use lb_common::limits::MAX_PREVIOUS;

use crate::config::model::{Config, PreviousServer, Server, ServerMac, Service, State};

/// Previous lists, the newest first.
type Lists = Vec<Vec<PreviousServer>>;

/// For each service of `new` its previous lists; `None`: what it has stays.
pub fn previous_lists(old: &Config, new: &Config) -> Vec<Option<Lists>> {
    let before = Counterparts::new(old);
    new.services.iter().map(|service| lists(before.of(service)?, service)).collect()
}

/// For each service of `old` the previous lists by which servers know the list to come; `None`: what it has stays.
///
/// While hosts learn of the change one after the other, each then knows both lists, so that each finds whom another one
/// takes for the owner.
pub fn announced_lists(old: &Config, new: &Config) -> Vec<Option<Lists>> {
    let after = Counterparts::new(new);
    let announced = |service: &Service| {
        let after = after.of(service)?;
        if decisive(service).eq(decisive(after)) {
            return None;
        }
        Some(with_newest(after, &service.previous, service))
    };
    old.services.iter().map(announced).collect()
}

/// Finds a service in another configuration.
struct Counterparts<'a> {
    by_name: HashMap<&'a str, &'a Service>,
    by_destination: HashMap<(ipnet::IpNet, Option<u8>, Option<u16>), &'a Service>,
}

impl<'a> Counterparts<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            by_name: config.services.iter().map(|service| (service.name.as_str(), service)).collect(),
            by_destination: config.services.iter().map(|service| (destination(service), service)).collect(),
        }
    }

    /// By its name, else by its destination. Servers of the other family cannot have its connections.
    fn of(&self, service: &Service) -> Option<&'a Service> {
        let by_destination = || self.by_destination.get(&destination(service));
        let found = self.by_name.get(service.name.as_str()).or_else(by_destination)?;
        (found.address.addr().is_ipv4() == service.address.addr().is_ipv4()).then_some(*found)
    }
}

/// What identifies a service that has another name now.
const fn destination(service: &Service) -> (ipnet::IpNet, Option<u8>, Option<u16>) {
    (service.address, service.protocol, service.port)
}

fn lists(old: &Service, new: &Service) -> Option<Lists> {
    if decisive(old).eq(decisive(new)) {
        return (new.previous.is_empty() && !old.previous.is_empty()).then(|| old.previous.clone());
    }
    Some(with_newest(old, &old.previous, new))
}

/// What of a list decides who owns a flow.
fn decisive(service: &Service) -> impl Iterator<Item = (IpAddr, u32, bool)> {
    service.listed().map(|server| (server.address, server.weight, matches!(server.state, State::Down)))
}

/// A service's list, and then others, without what is the present list of another service.
fn with_newest(service: &Service, others: &[Vec<PreviousServer>], present: &Service) -> Lists {
    let newest: Vec<_> = service.listed().map(as_previous).collect();
    let mut lists: Vec<_> = Some(newest).filter(|list| !list.is_empty()).into_iter().collect();
    lists.extend(others.iter().cloned());
    let is_present = |list: &[PreviousServer]| {
        decisive(present).eq(list.iter().map(|server| (server.address, server.weight, server.idle)))
    };
    lists.retain(|list| !is_present(list));
    lists.dedup();
    lists.truncate(MAX_PREVIOUS);
    lists
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
            let new = service("web", vip, &[b], &[]);
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

    /// Servers hear of the list to come; when it is the present one, it is no previous one any more.
    #[test]
    fn a_list_is_announced_and_then_put_in_force() {
        let old = service("web", "203.0.113.10", &["10.0.0.1", "10.0.0.2 weight 2"], &[&["10.0.0.9"]]);
        let new = service("web", "203.0.113.10", &["10.0.0.1", "10.0.0.3 down"], &[]);
        let announced = |old: &str, new: &str| {
            let [lists] = &announced_lists(&file::parse(old).unwrap(), &file::parse(new).unwrap())[..] else {
                panic!()
            };
            let text = |list: &Vec<PreviousServer>| list.iter().map(ToString::to_string).collect();
            lists.as_ref().map(|lists| lists.iter().map(text).collect::<Vec<Vec<String>>>())
        };
        let (before, after) = (["10.0.0.1", "10.0.0.2 weight 2"], ["10.0.0.1", "10.0.0.3 down"]);
        assert_eq!(announced(&old, &new).unwrap(), [&after[..], &["10.0.0.9"]]);
        let knows = service("web", "203.0.113.10", &before, &[&after, &["10.0.0.9"]]);
        assert_eq!(transition(&knows, &new).unwrap(), [&before[..], &["10.0.0.9"]]);
        assert_eq!(announced(&knows, &new).unwrap(), [&after[..], &["10.0.0.9"]], "again");
        assert_eq!(announced(&new, &new), None);
        let other = service("dns", "203.0.113.53", &["10.0.0.1"], &[]);
        assert_eq!(announced(&other, &new), None, "there is no such service");
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
