//! Servers that were taken down by hand, when a configuration comes that knows nothing of that. Pure.

use std::{collections::HashMap, net::IpAddr};

use crate::config::model::{ByHand, Config, Server};

/// Keeps servers down that files cannot bring back, until their time is over.
pub fn keep(have: &Config, want: &mut Config, now: u64) {
    let held = |server: &Server| server.health.by_hand.filter(|it| it.outlasts_files() && !it.is_over(now));
    let services = have.services.iter();
    let held: HashMap<(&str, IpAddr), ByHand> = services
        .flat_map(|service| {
            let servers = service.servers.iter();
            servers.filter_map(|server| Some(((service.name.as_str(), server.address), held(server)?)))
        })
        .collect();
    if held.is_empty() {
        return;
    }
    for service in &mut want.services {
        for server in &mut service.servers {
            if let Some(by_hand) = held.get(&(service.name.as_str(), server.address)) {
                server.health.by_hand = Some(*by_hand);
            }
        }
    }
}

/// Lets servers come back whose time is over.
pub fn release(config: &mut Config, now: u64) {
    for server in config.services.iter_mut().flat_map(|service| &mut service.servers) {
        if server.health.by_hand.is_some_and(|by_hand| by_hand.is_over(now)) {
            server.health.by_hand = None;
            if !server.is_down() {
                server.health.down_since = 0;
            }
        }
    }
}

/// When the next server comes back, in seconds since the epoch.
pub fn next_return(config: &Config) -> Option<u64> {
    let servers = config.services.iter().flat_map(|service| &service.servers);
    let times = servers.filter_map(|server| match server.health.by_hand {
        Some(ByHand::Until(until)) => Some(u64::from(until)),
        Some(ByHand::NextFile | ByHand::ServerUp) | None => None,
    });
    times.min()
}

/// A line for each server that stays down although a configuration would have it up.
pub fn staying_down(config: &Config, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    for service in &config.services {
        for server in &service.servers {
            if let Some(by_hand) = server.health.by_hand.filter(|by_hand| by_hand.outlasts_files()) {
                let (name, address, lasts) = (&service.name, server.address, by_hand.lasts(now));
                lines.push(format!(
                    "service {name}: server {address} stays down: {lasts}; `modlb server up {name} {address}` ends that"
                ));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        file::parse,
        model::{Health, State},
    };

    fn config(servers: &str) -> Config {
        parse(&format!("[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n{servers}")).unwrap()
    }

    fn server(last: u8) -> String {
        format!("[[service.server]]\naddress = \"10.0.0.{last}\"\n")
    }

    fn holds(config: &Config) -> Vec<Option<ByHand>> {
        config.services[0].servers.iter().map(|server| server.health.by_hand).collect()
    }

    #[test]
    fn only_what_outlasts_files_is_kept() {
        let mut have = config(&[1, 2, 3, 4, 5].map(server).concat());
        let by_hand = [ByHand::NextFile, ByHand::Until(100), ByHand::Until(99), ByHand::ServerUp];
        for (server, by_hand) in have.services[0].servers.iter_mut().zip(by_hand) {
            server.health.by_hand = Some(by_hand);
        }
        assert_eq!(next_return(&have), Some(99));
        // In another order, one is new, one has gone.
        let mut want = config(&[6, 4, 3, 2, 1].map(server).concat());
        keep(&have, &mut want, 99);
        assert_eq!(holds(&want), [None, Some(ByHand::ServerUp), None, Some(ByHand::Until(100)), None]);
        assert_eq!(want.services[0].takes_flows(), [true, false, true, false, true]);
        let lines = staying_down(&want, 99);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(
            lines[1],
            "service web: server 10.0.0.2 stays down: by hand, for another 1 s; `modlb server up web 10.0.0.2` ends that"
        );
    }

    #[test]
    fn who_is_released_is_as_the_file_says() {
        let mut config = config(&[1, 2].map(server).concat());
        config.services[0].servers[1].state = State::Down;
        for server in &mut config.services[0].servers {
            server.health = Health { down_since: 7, by_hand: Some(ByHand::Until(50)), ..Health::default() };
        }
        let before = config.clone();
        release(&mut config, 49);
        assert_eq!(config, before);
        release(&mut config, 50);
        assert_eq!(holds(&config), [None, None]);
        assert_eq!(config.services[0].takes_flows(), [true, false]);
        let since: Vec<_> = config.services[0].servers.iter().map(|server| server.health.down_since).collect();
        assert_eq!(since, [0, 7]);
    }
}
