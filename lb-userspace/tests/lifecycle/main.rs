//! An instance from its creation to its end, with commands that are killed, run at the same time, or are refused.

#[path = "../support/mod.rs"]
mod support;

mod attach;
mod buffers;
mod by_hand;
mod confirm;
mod counters;
mod features;
mod foreign;
mod group;
mod killed;
mod local_users;
mod management;
mod mend;
mod mounts;
mod output;
mod queues;
mod resolve;
mod room;
mod steps;
mod transition;
mod vlan;
mod writers;

use std::net::IpAddr;

use support::{modlb::Modlb, namespace::Namespace};

/// A gateway with a veth that is up and one that is down, and an instance that does not exist yet.
struct Gateway {
    // Before the namespace, so that it is detached first.
    modlb: Modlb,
    namespace: Namespace,
}

impl Gateway {
    fn new() -> Self {
        let namespace = Namespace::new("gateway");
        namespace.ip("link add eth0 address 02:00:00:00:00:01 type veth peer name peer0");
        namespace.ip("link add eth1 address 02:00:00:00:01:01 type veth peer name peer1");
        for interface in ["eth0", "peer0", "eth1", "peer1"] {
            namespace.ip(&format!("link set {interface} up"));
        }
        // Without it a veth takes no frames that XDP redirects to its other end.
        for peer in ["peer0", "peer1"] {
            namespace.run("ethtool", &format!("-K {peer} gro on"));
        }
        namespace.ip("addr add 10.0.0.1/24 dev eth0");
        namespace.ip("addr add 10.0.1.1/24 dev eth1");
        Self { modlb: Modlb::new(&namespace), namespace }
    }
}

/// A service for web servers whose MACs are given.
fn web(servers: &[u8]) -> String {
    let mut text =
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\n".to_owned();
    for number in servers {
        text += &format!("[[service.server]]\naddress = \"10.0.0.{number}\"\nmac = \"02:00:00:00:02:{number:02x}\"\n");
    }
    text
}

/// A packet of that service.
fn packet(client: u8) -> Vec<u8> {
    use support::frame::{TCP, ip, ports, to_gateway};
    to_gateway(&ip(IpAddr::from([198, 51, 100, client]), IpAddr::from([203, 0, 113, 10]), TCP, &ports(1, 80)))
}
