//! Servers that balance for each other, while they disagree about which servers are up: no frame is forwarded twice.
//!
//! ```text
//!                 br0 in `switch`, which counts the frames of each datagram
//!    ┌──────────┬──────────┬──────────┐
//!  client      s0         s1         s2     each with the services' addresses on lo
//!  10.0.0.2    10.0.0.11  10.0.0.12  10.0.0.13
//! ```

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use serde_json::Value;

use crate::{
    need_root,
    support::{
        modlb::Modlb,
        namespace::Namespace,
        network::{Host, SERVICES, UDP_PORT, host, name, server_address},
        nft,
        wait::wait,
    },
};

/// More datagrams than a table has slots while a server is down; each has another source port, and so another slot.
const DATAGRAMS: u16 = 4_100;

/// Rules that count the frames of each datagram on their way through the switch, from zero.
///
/// Trap: a set that grows as packets come would lose some of them, as its table cannot be resized at that moment.
fn count() -> String {
    let ports: Vec<_> = (1..=DATAGRAMS).map(|port| port.to_string()).collect();
    let set = |name: &str| {
        format!("set {name} {{\n type inet_service\n counter\n elements = {{ {} }}\n}}\n", ports.join(", "))
    };
    let [four, six] = SERVICES.map(|service| set(name(service)));
    format!(
        "table bridge count\ndelete table bridge count\ntable bridge count {{\n{four}{six}chain seen {{\n\
         type filter hook prerouting priority 0\n\
         ip daddr {} udp dport {UDP_PORT} udp sport @web4\n\
         ip6 daddr {} udp dport {UDP_PORT} udp sport @web6\n}}\n}}\n",
        SERVICES[0], SERVICES[1]
    )
}

/// Hosts that are servers, of which some also balance.
struct Site {
    // Before the namespaces, so that they are detached first.
    balancers: Vec<Modlb>,
    hosts: Vec<Host>,
    client: Namespace,
    switch: Namespace,
}

impl Site {
    /// Builds one with this many hosts; each is given a configuration, or none.
    fn new(configurations: &[Option<String>]) -> Self {
        let switch = Namespace::new("switch");
        switch.ip("link add br0 type bridge");
        switch.ip("link set br0 up");
        let client = host(&switch, "client", 2);
        let hosts: Vec<_> = (0..configurations.len() as u8).map(|number| Host::new(&switch, number)).collect();
        let mut balancers = Vec::new();
        for (host, text) in hosts.iter().zip(configurations) {
            let modlb = Modlb::new(&host.namespace);
            if let Some(text) = text {
                modlb.attach("eth0 --mode generic", text);
            }
            balancers.push(modlb);
        }
        Self { balancers, hosts, client, switch }
    }

    /// Takes servers down, or up, on one host alone.
    fn set(&self, host: usize, verb: &str, servers: &[u8]) {
        for service in SERVICES {
            for server in servers {
                let server = server_address(service.is_ipv6(), *server);
                self.balancers[host].ok(&format!("server {verb} {} {server}", name(service)));
            }
        }
    }

    fn received(&self) -> u64 {
        self.hosts.iter().map(|host| host.datagrams.load(std::sync::atomic::Ordering::SeqCst)).sum()
    }

    /// What all balancers dropped because a peer had sent it.
    fn looped(&self) -> u64 {
        let attached = self.balancers.iter().filter(|modlb| modlb.pins().exists());
        attached.map(|modlb| modlb.json("stats")["outcomes"]["loop"]["packets"].as_u64().unwrap()).sum()
    }

    /// Sends a datagram for each slot to both services, by way of one host. Returns how many were received and how many
    /// were dropped as `loop`; together they are all. Each is forwarded at most once.
    fn send_by(&self, what: &str, host: usize) -> (u64, u64) {
        let (received, looped) = (self.received(), self.looped());
        nft::load(&self.switch, &count());
        for service in SERVICES {
            let via = server_address(service.is_ipv6(), host as u8);
            self.client.ip(&format!("route replace {service} via {via}"));
        }
        self.client.within(|| {
            for service in SERVICES {
                let client: IpAddr = if service.is_ipv6() { "fd00::2" } else { "10.0.0.2" }.parse().unwrap();
                for port in 1..=DATAGRAMS {
                    let socket = UdpSocket::bind(SocketAddr::new(client, port)).unwrap();
                    socket.send_to(b"?", SocketAddr::new(service, UDP_PORT)).unwrap();
                }
            }
        });
        let sent = u64::from(DATAGRAMS) * SERVICES.len() as u64;
        let done = || (self.received() - received, self.looped() - looped);
        let all = || done().0 + done().1 >= sent;
        let forwarded_twice = || SERVICES.into_iter().any(|service| self.frames(service).into_values().max() > Some(2));
        wait(|| all() || forwarded_twice(), || format!("{what}, by s{host}: {:?} of {sent} datagrams", done()));
        for service in SERVICES {
            let frames = self.frames(service);
            assert!(frames.values().all(|frames| *frames >= 1), "{what}, by s{host}: {service}: {frames:?}");
            let often: Vec<_> = frames.iter().filter(|(_, frames)| **frames > 2).take(3).collect();
            assert!(often.is_empty(), "{what}, by s{host}: frames of some datagrams to {service}: {often:?}");
        }
        assert_eq!(done().0 + done().1, sent, "{what}, by s{host}");
        done()
    }

    /// How many frames each datagram became, by source port: one from the client, and one for each time that it was
    /// forwarded.
    fn frames(&self, service: IpAddr) -> BTreeMap<u64, u64> {
        let json: Value =
            serde_json::from_str(&self.switch.run("nft", &format!("-j list set bridge count {}", name(service))))
                .unwrap();
        let sets = json["nftables"].as_array().unwrap().iter().filter_map(|object| object["set"]["elem"].as_array());
        let element = |found: &Value| {
            let found = &found["elem"];
            (found["val"].as_u64().unwrap(), found["counter"]["packets"].as_u64().unwrap())
        };
        sets.flatten().map(element).collect()
    }
}

/// Both services with these servers.
fn services(head: &str, servers: &[u8]) -> String {
    let mut text = head.to_owned();
    for service in SERVICES {
        let name = name(service);
        text += &format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{service}\"\nprotocol = \"udp\"\nport = 9000\nformula = \"5-tuple\"\n"
        );
        for server in servers {
            text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(service.is_ipv6(), *server));
        }
    }
    text
}

/// One is down on one balancer alone; then each thinks that it is down itself.
#[test]
fn two_balancers_that_are_servers_and_disagree_forward_a_frame_once() {
    need_root!();
    let both = Some(services("", &[0, 1]));
    let site = Site::new(&[both.clone(), both]);
    let all = (2 * u64::from(DATAGRAMS), 0);
    assert_eq!(site.send_by("they agree", 0), all);
    site.set(0, "down", &[0]);
    assert_eq!(site.send_by("s0 is down on s0", 0), all);
    assert_eq!(site.send_by("s0 is down on s0", 1), all);
    site.set(1, "down", &[1]);
    assert_eq!(site.send_by("each is down on itself", 0), all);
    assert_eq!(site.send_by("each is down on itself", 1), all);
}

/// A server was added on one balancer only.
#[test]
fn balancers_with_lists_of_different_length_forward_a_frame_once() {
    need_root!();
    let site = Site::new(&[Some(services("", &[0, 1, 2])), Some(services("", &[0, 1])), None]);
    let all = (2 * u64::from(DATAGRAMS), 0);
    for host in [0, 1] {
        assert_eq!(site.send_by("N = 3 and N = 2", host), all);
    }
    site.set(0, "down", &[0]);
    for host in [0, 1] {
        assert_eq!(site.send_by("N = 3 and N = 2, s0 is down on s0", host), all);
    }
}

/// Each of three balancers thinks that only the next one is up.
#[test]
fn a_ring_of_three_balancers_forwards_a_frame_once() {
    need_root!();
    let all_three = Some(services("", &[0, 1, 2]));
    let site = Site::new(&[all_three.clone(), all_three.clone(), all_three]);
    for host in 0..3_u8 {
        site.set(host.into(), "down", &[host, (host + 2) % 3]);
    }
    for host in 0..3 {
        assert_eq!(site.send_by("a ring", host), (2 * u64::from(DATAGRAMS), 0));
    }
    // A state that differs everywhere, with more than one server up.
    for host in 0..3_u8 {
        site.set(host.into(), "up", &[(host + 2) % 3]);
    }
    for host in 0..3 {
        assert_eq!(site.send_by("two of three", host), (2 * u64::from(DATAGRAMS), 0));
    }
}

/// Each list names the other host, which is not in its own: neither is a server by its own configuration, and only
/// `peers` ends what would go on for ever.
#[test]
fn balancers_that_are_no_servers_drop_what_a_peer_sends() {
    need_root!();
    let peers = "peers = [\"10.0.0.11\", \"10.0.0.12\", \"fd00::b\"]\n";
    let site = Site::new(&[Some(services(peers, &[1])), Some(services(peers, &[0, 2])), None]);
    let all = 2 * u64::from(DATAGRAMS);
    assert_eq!(site.send_by("to the other", 0), (0, all));
    // What s1 sends to s2 is received there.
    let (received, looped) = site.send_by("to the other or to a server", 1);
    assert!(received > all / 3 && looped > all / 3 && received + looped == all, "{received} {looped}");
}
