//! Servers' MACs, as neighbours change.

use std::time::Duration;

use crate::{
    load::{client_at, clients, undisturbed, until_received},
    need_root,
    process::{Agent, becomes, on_eth0, server},
    support::{
        namespace::Namespace,
        network::{Network, SERVICES, UDP_PORT, datagrams_to, name, server_address},
        wait::wait,
    },
};

const SERVERS: u8 = 3;

/// The server that moves or is silent.
const ONE: u8 = 1;

/// How soon traffic follows on a busy machine. Without the server's announcement it takes longer: kernels ask a
/// neighbour again every five seconds at most.
const SOON: Duration = Duration::from_secs(4);

/// Traffic follows a server that announces a new MAC, and other servers' traffic is not disturbed.
#[test]
fn traffic_follows_a_server_that_announces_a_new_mac() {
    need_root!();
    let network = Network::new(SERVERS, 8);
    network.pass(true);
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(SERVERS, "")), "--mode native");
    let others: Vec<_> = clients(&network).into_iter().filter(|client| client.home != ONE).collect();
    let moved = network.server_namespaces().nth(ONE.into()).unwrap();
    moved.within(|| {
        for knob in ["ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/ndisc_notify"] {
            std::fs::write(format!("/proc/sys/net/{knob}"), "1").unwrap();
        }
    });
    let theirs = SERVICES.map(|service| (service, client_at(&network, SERVERS, ONE, service)));
    undisturbed(&network, &others, || {
        for (round, (service, client)) in theirs.iter().cycle().take(6).enumerate() {
            moved.ip(&format!("link set eth0 address 02:00:00:00:77:{round:02x}"));
            let took = until_received(&network, *client, *service, &[ONE]);
            eprintln!("round {round}, {}: traffic followed after {took:?}", name(*service));
            assert!(took < SOON, "{took:?}\n{}", agent.log());
            let mac = format!("02:00:00:00:77:{round:02x}");
            for service in SERVICES {
                let address = server_address(service.is_ipv6(), ONE);
                wait(|| server(&network.modlb, name(service), address)["mac"] == mac.as_str(), || agent.log());
            }
        }
    });
    assert!(agent.log().contains("its MAC is 02:00:00:00:77:00 now, it was 02:00:00:00:00:0c"), "{}", agent.log());
}

/// The agent keeps entries that would age. Permanent ones stay as they are, and a MAC from the configuration needs
/// none.
#[test]
fn neighbour_entries_are_kept_alive() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    network.gateway.ip("neigh replace 10.0.0.12 lladdr 02:00:00:00:00:0c dev eth0 nud permanent");
    let text = network.configuration(SERVERS, "");
    let third = format!("address = \"{}\"\n", server_address(false, 2));
    let text = text.replace(&third, &format!("{third}mac = \"02:00:00:00:00:0d\"\n"));
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&text), "");
    let entry = |address: &str| network.gateway.run("ip", &format!("neigh show {address} dev eth0"));
    assert!(entry("10.0.0.11").contains("managed") && entry("fd00::b").contains("managed"), "{}", entry("to 0/0"));
    assert!(entry("10.0.0.12").contains("PERMANENT"), "{}", entry("10.0.0.12"));
    assert!(!entry("10.0.0.13").contains("managed"), "{}", entry("10.0.0.13"));
    // An entry that is deleted returns.
    network.gateway.ip("neigh del 10.0.0.11 dev eth0");
    wait(|| entry("10.0.0.11").contains("managed"), || entry("10.0.0.11"));
    // A graceful end leaves them to the next agent.
    agent.stop();
    assert!(entry("10.0.0.11").contains("managed"), "{}", entry("10.0.0.11"));
}

/// The agent and the commands name a server that does not answer. The others serve, and it is found when it appears.
#[test]
fn a_missing_server_is_named_and_found_when_it_appears() {
    need_root!();
    let network = Network::new(SERVERS, 4);
    network.pass(true);
    let silent = network.server_namespaces().nth(ONE.into()).unwrap();
    silent.ip("link set eth0 down");
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&network.configuration(SERVERS, "")), "--mode native");
    for service in SERVICES {
        let address = server_address(service.is_ipv6(), ONE);
        let service = name(service);
        assert!(
            agent.log().contains(&format!(
                "service {service}: server {address}: no answer on eth0 within 1s; is it up? Give its mac, or say state = \"down\""
            )),
            "{}",
            agent.log()
        );
        let shown = server(&network.modlb, service, address);
        assert_eq!((&shown["state"], &shown["reason"]), (&"unresolved".into(), &"no answer on eth0".into()));
        assert!(shown["since"].as_u64().is_some() && shown["mac"].is_null(), "{shown}");
    }
    assert!(
        network.modlb.ok("status").contains("\nunresolved: web4 10.0.0.12, for "),
        "{}",
        network.modlb.ok("status")
    );
    // The state is exported only if it was set by hand.
    assert!(!network.modlb.ok("export").contains("state"));
    assert!(clients(&network).iter().all(|client| client.home != ONE));

    silent.ip("link set eth0 up");
    silent.ip("addr replace fd00::c/64 dev eth0 nodad");
    for service in SERVICES {
        becomes(&network.modlb, name(service), server_address(service.is_ipv6(), ONE), "up");
    }
    agent.logs("10.0.0.12: found at 02:00:00:00:00:0c");
    assert!(clients(&network).iter().any(|client| client.home == ONE));
}

/// A server that is found later, behind another interface, gets its frames by that interface.
#[test]
fn a_server_that_appears_behind_another_interface_is_served() {
    need_root!();
    let network = Network::new(1, 1);
    let far = Namespace::new("far");
    far.within(|| std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
    network.gateway.ip(&format!("link add eth1 type veth peer name eth0 netns {}", far.name()));
    network.gateway.ip("link set eth1 up");
    network.gateway.ip("addr add 10.9.0.1/24 dev eth1");
    network.gateway.ip("addr add fd09::1/64 dev eth1 nodad");
    let mut text = "interfaces = [\"eth0\", \"eth1\"]\n".to_owned();
    for (service, address) in SERVICES.iter().zip(["10.9.0.11", "fd09::11"]) {
        text += &format!("[[service]]\nname = \"{}\"\naddress = \"{service}\"\n", name(*service));
        text += &format!("[[service.server]]\naddress = \"{address}\"\n");
    }
    let (_, agent) = Agent::with_file(&network.modlb, &text, "--mode generic");
    assert_eq!(server(&network.modlb, "web4", "10.9.0.11")["state"], "unresolved", "{}", agent.log());
    assert_eq!(server(&network.modlb, "web6", "fd09::11")["state"], "unresolved", "{}", agent.log());

    far.ip("link set eth0 up");
    far.ip("addr add 10.9.0.11/24 dev eth0");
    far.ip("addr add fd09::11/64 dev eth0 nodad");
    far.run("ethtool", "-K eth0 tx off");
    for service in SERVICES {
        far.ip(&format!("addr add {service} dev lo"));
    }
    // The client needs no answers: the test only counts what arrives.
    far.within(|| std::fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "0").unwrap());
    becomes(&network.modlb, "web4", "10.9.0.11", "up");
    becomes(&network.modlb, "web6", "fd09::11", "up");
    for service in SERVICES {
        let socket = far.within(|| std::net::UdpSocket::bind((service, UDP_PORT)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let client = network.client_addresses(service)[0];
        let sender = network.client.within(|| datagrams_to(client, service));
        let arrives = || {
            sender.send(b"?").unwrap();
            socket.recv(&mut [0; 8]).is_ok()
        };
        wait(arrives, || format!("nothing for {service} arrives:\n{}", agent.log()));
    }
}

/// A peer is found when it appears, and followed when its MAC changes. So is a server that is down, if this host is a
/// server of the same service: it may balance what it gets, and be down for this host alone.
#[test]
fn peers_are_found_and_followed() {
    need_root!();
    let network = Network::new(2, 1);
    let (peer, down) = (&network.client, network.server_namespaces().nth(1).unwrap());
    for host in [peer, down] {
        for knob in ["ipv4/conf/eth0/arp_notify", "ipv6/conf/eth0/ndisc_notify"] {
            host.within(|| std::fs::write(format!("/proc/sys/net/{knob}"), "1").unwrap());
        }
        host.ip("link set eth0 down");
    }
    let down_here = |six| format!("address = \"{}\"\n", server_address(six, 1));
    let own = |six| if six { "fd00::1" } else { "10.0.0.1" };
    let text = [false, true].into_iter().fold(network.configuration(2, ""), |text, six| {
        let with = format!("{}state = \"down\"\n[[service.server]]\naddress = \"{}\"\n", down_here(six), own(six));
        text.replace(&down_here(six), &with)
    });
    let text = format!("peers = [\"10.0.0.2\", \"fd00::2\"]\n{text}");
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&text), "--mode generic");
    // The MACs whose frames to each service are not balanced again.
    let macs = || {
        SERVICES.map(|service| {
            let from = if service.is_ipv4() { "198.51.100.7:1" } else { "[2001:db8::7]:1" };
            let found = network.modlb.json(&format!("explain {from} {}", std::net::SocketAddr::new(service, 80)));
            let macs = found["from_peers"]["macs"].as_array().cloned().unwrap_or_default();
            macs.iter().map(|mac| mac.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
    };
    let one = "02:00:00:00:00:0b";
    assert_eq!(macs(), [[one], [one]]);
    assert!(
        agent.log().contains("peer 10.0.0.2: no answer on eth0 within 1s; until its MAC is found"),
        "{}",
        agent.log()
    );
    assert!(network.modlb.ok("status").contains("10.0.0.2 (no MAC found: what it sends is balanced again)"));

    for (host, number) in [(peer, 2), (down, 12)] {
        host.ip("link set eth0 up");
        host.ip(&format!("addr replace fd00::{number:x}/64 dev eth0 nodad"));
    }
    let all = ["02:00:00:00:00:02", one, "02:00:00:00:00:0c"].map(str::to_owned);
    wait(|| macs().iter().all(|macs| *macs == all), || format!("{:?}\n{}", macs(), agent.log()));
    for (host, mac) in [(peer, "02:00:00:00:77:02"), (down, "02:00:00:00:77:0c")] {
        host.ip(&format!("link set eth0 address {mac}"));
    }
    let all = [one, "02:00:00:00:77:02", "02:00:00:00:77:0c"].map(str::to_owned);
    wait(|| macs().iter().all(|macs| *macs == all), || format!("{:?}\n{}", macs(), agent.log()));
    assert!(agent.log().contains("peer 10.0.0.2: found at 02:00:00:00:77:02"), "{}", agent.log());
    // It stays down.
    assert_eq!(server(&network.modlb, "web4", server_address(false, 1))["state"], "down");
}
