//! Peers' MACs: which of them to ask for, and what the answers mean. Pure but for warnings; `resolve` asks.
//!
//! A peer without a MAC is no error: until it is found, what it sends is balanced as anybody's.

use std::{collections::HashSet, net::IpAddr};

use lb_common::mac::Mac;

use crate::config::model::{Config, Peer, PeerMac};

/// Carries over what was known of the peers, and returns those to ask for. `local` are this host's addresses. `all`:
/// known ones are asked for again, and so are those that were silent before; otherwise a change to something else does
/// not wait for them.
///
/// A peer that is a server of the file is not asked for: it has the server's MAC.
pub fn begin(config: &mut Config, before: &[Peer], local: &HashSet<IpAddr>, all: bool) -> Vec<IpAddr> {
    let servers = config.services.iter().flat_map(|service| &service.servers);
    let found: HashSet<_> = servers.filter(|server| server.mac.get().is_some()).map(|server| server.address).collect();
    let mut due = Vec::new();
    for peer in &mut config.peers {
        let known = before.iter().find(|before| before.address == peer.address).map(|before| before.mac);
        let is_new = known.is_none_or(|mac| mac == PeerMac::ThisHost);
        peer.mac = match known {
            _ if local.contains(&peer.address) => PeerMac::ThisHost,
            Some(PeerMac::Resolved(mac)) => PeerMac::Resolved(mac),
            Some(PeerMac::Unresolved | PeerMac::ThisHost) | None => PeerMac::Unresolved,
        };
        if peer.mac != PeerMac::ThisHost && (all || is_new) && !found.contains(&peer.address) {
            due.push(peer.address);
        }
    }
    due
}

/// Enters the answer for a peer, or why there is none.
pub fn enter(config: &mut Config, address: IpAddr, answer: Result<Mac, String>) {
    let Some(peer) = config.peers.iter_mut().find(|peer| peer.address == address) else { return };
    match (answer, peer.mac) {
        (Ok(mac), _) => peer.mac = PeerMac::Resolved(mac),
        (Err(why), PeerMac::Resolved(mac)) => log::warn!("peer {address}: {why}; keeping the MAC {mac} that it had"),
        (Err(why), PeerMac::Unresolved | PeerMac::ThisHost) => {
            log::warn!("peer {address}: {why}; until its MAC is found, what it sends is balanced again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    const FILE: &str = r#"
        peers = ["10.0.0.1", "10.0.0.2", "fd00::3", "10.0.0.12"]
        service = [{ name = "web", address = "203.0.113.10", server = [
            { address = "10.0.0.12", mac = "02:00:00:00:00:12" },
        ] }]
    "#;
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn macs(config: &Config) -> Vec<PeerMac> {
        config.peers.iter().map(|peer| peer.mac).collect()
    }

    #[test]
    fn new_peers_are_asked_for_and_known_ones_only_by_a_change_of_everything() {
        let (mut config, local) = (parse(FILE).unwrap(), HashSet::from(["10.0.0.1".parse().unwrap()]));
        let [two, three]: [IpAddr; 2] = ["10.0.0.2", "fd00::3"].map(|text| text.parse().unwrap());
        assert_eq!(begin(&mut config, &[], &local, false), [two, three]);
        enter(&mut config, two, Ok(MAC));
        enter(&mut config, three, Err("no answer".to_owned()));
        let found = [PeerMac::ThisHost, PeerMac::Resolved(MAC), PeerMac::Unresolved, PeerMac::Unresolved];
        assert_eq!(macs(&config), found);

        let (before, mut again) = (config.peers.clone(), parse(FILE).unwrap());
        assert_eq!(begin(&mut again, &before, &local, false), [] as [IpAddr; 0]);
        assert_eq!(macs(&again), found);
        assert_eq!(begin(&mut again, &before, &local, true), [two, three]);
        // A silent one keeps what it had.
        enter(&mut again, two, Err("no answer".to_owned()));
        assert_eq!(macs(&again), found);
        // An address that left this host is another host's.
        assert_eq!(begin(&mut again, &before, &HashSet::new(), false), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
