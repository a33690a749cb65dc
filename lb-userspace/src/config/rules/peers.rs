//! Rules for `peers`.

use std::collections::HashMap;

use lb_common::limits::MAX_PEERS;

use super::address::{never_on_the_wire, not_of_one_host};
use crate::config::{
    model::{Peer, Role},
    report::{Report, second_time},
};

/// Reports every problem with the peers.
pub(super) fn check(role: Role, peers: &[Option<Peer>], report: &mut Report<'_>) {
    if peers.is_empty() {
        return;
    }
    if role != Role::Balancer {
        let role = role.name();
        let text = format!("peers needs role = \"balancer\", which alone sends frames on; the role is {role:?}");
        return report.add_without("peers", &["role"], text);
    }
    let mut seen = HashMap::new();
    for (index, peer) in peers.iter().enumerate() {
        let Some(Peer { address, mac: _ }) = peer else { continue };
        if let Some(kind) = never_on_the_wire(*address).or_else(|| not_of_one_host(*address)) {
            let text = format!("peers: {address} is {kind}, which no balancer can have");
            report.add_item("peers", index, text);
        }
        if second_time(&mut seen, *address) {
            report.add_item("peers", index, format_args!("peers: {address} listed twice"));
        }
    }
    report.add_if(peers.len() > MAX_PEERS, "peers", || {
        format!("peers: {} addresses, at most {MAX_PEERS} are possible", peers.len())
    });
}

#[cfg(test)]
mod tests {
    use crate::config::{
        file::{parse, write},
        model::PeerMac,
    };

    fn problems(text: &str) -> Vec<String> {
        parse(text).expect_err(text).texts()
    }

    #[test]
    fn peers_are_addresses_of_either_family() {
        let config = parse("peers = [\"10.0.0.2\", \"fd00::2\", \"::ffff:10.0.0.3\"]").unwrap();
        let found: Vec<_> = config.peers.iter().map(|peer| (peer.address.to_string(), peer.mac)).collect();
        // One host is one address, however it is written.
        assert_eq!(found, ["10.0.0.2", "fd00::2", "10.0.0.3"].map(|it| (it.to_owned(), PeerMac::Unresolved)));
        assert_eq!(parse(&write(&config)).unwrap(), config, "{}", write(&config));
    }

    #[test]
    fn all_problems_of_peers_are_reported_at_once() {
        assert_eq!(
            problems(
                "peers = [\"lb2\", \"10.0.0.2\", \"10.0.0.2\", \"224.0.0.18\", \"255.255.255.255\", \"::1\", \"0.0.0.0\"]"
            ),
            [
                "peers: \"lb2\" is not an IP address",
                "peers: 10.0.0.2 listed twice",
                "peers: 224.0.0.18 is a multicast address, which no balancer can have",
                "peers: 255.255.255.255 is the broadcast address, which no balancer can have",
                "peers: ::1 is a loopback address, which no balancer can have",
                "peers: 0.0.0.0 is the unspecified address, which no balancer can have",
            ]
        );
        let many: Vec<_> = (1..=33).map(|number| format!("\"10.0.0.{number}\"")).collect();
        assert_eq!(
            problems(&format!("peers = [{}]", many.join(", "))),
            ["peers: 33 addresses, at most 32 are possible"]
        );
        assert!(parse(&format!("peers = [{}]", many[1..].join(", "))).is_ok());
    }

    #[test]
    fn only_a_balancer_has_peers() {
        for role in ["member", "steer"] {
            assert_eq!(
                problems(&format!("role = \"{role}\"\npeers = [\"10.0.0.2\"]")),
                [format!("peers needs role = \"balancer\", which alone sends frames on; the role is \"{role}\"")]
            );
        }
    }
}
