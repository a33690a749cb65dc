//! Whose frames of a service are not balanced again, and what becomes of them. Pure.
//!
//! Balancers that disagree for a while could send a frame back and forth. So each frame is balanced once: a host that
//! is a server of the service takes what the service's other servers and the configured peers send it, and a host that
//! is none drops what a configured peer sends it.

use std::collections::BTreeSet;

use lb_common::{mac::Mac, outcome::Outcome};

use crate::config::model::{Config, PeerMac, Role, Service};

/// The rule for one service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PeerRule {
    /// The MACs whose frames are not balanced again; empty: frames are balanced whoever sent them.
    pub macs: BTreeSet<Mac>,
    /// The server that is this host and takes such frames, by its index; `None`: they are dropped.
    pub here: Option<usize>,
}

impl PeerRule {
    /// The rule of a service; `is_here` says whether the server with this index is this host.
    pub fn new(config: &Config, service: &Service, is_here: impl Fn(usize) -> bool) -> Self {
        match config.role {
            Role::Balancer => {}
            Role::Steer => return Self::default(),
            // Members send nothing to each other.
            Role::Member => return Self { macs: BTreeSet::new(), here: here(service, is_here) },
            Role::Keep => return Self::of_keep(service, is_here),
        }
        let here = here(service, &is_here);
        let servers = service.servers.iter().enumerate().filter(|(index, _)| here.is_some() && !is_here(*index));
        // Those that are down count as well: they may think otherwise.
        let servers = servers.filter_map(|(_, server)| server.mac.get());
        let peers = config.peers.iter().filter_map(|peer| peer.mac.get());
        Self { macs: servers.chain(peers).filter(|mac| mac.is_unicast()).collect(), here }
    }

    /// In role `keep`, frames from other servers were handed on.
    fn of_keep(service: &Service, is_here: impl Fn(usize) -> bool) -> Self {
        let others = service.servers.iter().enumerate().filter(|(index, _)| !is_here(*index));
        let macs = others.filter_map(|(_, server)| server.mac.get()).filter(|mac| mac.is_unicast());
        Self { macs: macs.collect(), here: here(service, &is_here) }
    }

    /// The rules of all services.
    pub fn all(config: &Config, is_here: impl Fn(usize, usize) -> bool) -> Vec<Self> {
        let services = config.services.iter().enumerate();
        services.map(|(index, service)| Self::new(config, service, |server| is_here(index, server))).collect()
    }

    /// Whether a frame from this MAC is not balanced again.
    pub fn applies_to(&self, source: Option<Mac>) -> bool {
        source.is_some_and(|source| self.macs.contains(&source))
    }

    /// What becomes of such a frame.
    pub const fn outcome(&self) -> Outcome {
        if self.here.is_some() { Outcome::Local } else { Outcome::Loop }
    }
}

/// The server that is this host.
fn here(service: &Service, is_here: impl Fn(usize) -> bool) -> Option<usize> {
    (0..service.servers.len()).find(|index| is_here(*index))
}

/// Gives peers that are servers those servers' MACs.
pub fn adopt_servers_macs(config: &mut Config) {
    let Config { peers, services, .. } = config;
    for peer in peers.iter_mut().filter(|peer| peer.mac != PeerMac::ThisHost) {
        let mut servers = services.iter().flat_map(|service| &service.servers);
        let mac = servers.find_map(|server| server.mac.get().filter(|_| server.address == peer.address));
        if let Some(mac) = mac {
            peer.mac = PeerMac::Resolved(mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    const FILE: &str = r#"
        peers = ["10.0.0.2", "10.0.0.12"]
        [[service]]
        name = "web"
        address = "203.0.113.10"
        server = [
            { address = "10.0.0.11", mac = "02:00:00:00:00:11" },
            { address = "10.0.0.12", mac = "02:00:00:00:00:12" },
            { address = "10.0.0.13", mac = "02:00:00:00:00:13", state = "down" },
            { address = "10.0.0.14" },
        ]
        [[service]]
        name = "mail"
        address = "203.0.113.11"
        server = [{ address = "10.0.0.15", mac = "02:00:00:00:00:15" }]
    "#;

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn config() -> Config {
        let mut config = parse(FILE).unwrap();
        adopt_servers_macs(&mut config);
        config
    }

    #[test]
    fn a_peer_that_is_a_server_has_the_servers_mac() {
        let macs: Vec<_> = config().peers.iter().map(|peer| peer.mac).collect();
        assert_eq!(macs, [PeerMac::Unresolved, PeerMac::Resolved(mac(0x12))]);
        let mut here = parse(FILE).unwrap();
        here.peers[1].mac = PeerMac::ThisHost;
        adopt_servers_macs(&mut here);
        assert_eq!(here.peers[1].mac, PeerMac::ThisHost);
    }

    #[test]
    fn a_server_of_the_service_takes_what_other_servers_and_peers_send() {
        let mut config = config();
        config.peers[0].mac = PeerMac::Resolved(mac(2));
        let rules = PeerRule::all(&config, |service, server| (service, server) == (0, 0));
        let web = PeerRule { macs: [2, 0x12, 0x13].map(mac).into(), here: Some(0) };
        // Servers of another service are clients like any other.
        let mail = PeerRule { macs: [2, 0x12].map(mac).into(), here: None };
        assert_eq!(rules, [web, mail]);
        assert_eq!(rules.iter().map(PeerRule::outcome).collect::<Vec<_>>(), [Outcome::Local, Outcome::Loop]);
        assert!(rules[0].applies_to(Some(mac(0x13))) && !rules[1].applies_to(Some(mac(0x13))));
        assert!(!rules[0].applies_to(Some(mac(0x11))) && !rules[0].applies_to(None));
    }

    #[test]
    fn without_peers_only_a_server_of_the_service_has_a_rule() {
        let mut config = config();
        config.peers.clear();
        let empty = |rule: &PeerRule| rule.macs.is_empty();
        assert!(PeerRule::all(&config, |_, _| false).iter().all(empty));
        let rules = PeerRule::all(&config, |service, _| service == 1);
        // It is the only server.
        assert!(rules.iter().all(empty), "{rules:?}");
        config.role = Role::Member;
        assert!(PeerRule::all(&config, |_, server| server == 0).iter().all(empty));
    }
}
