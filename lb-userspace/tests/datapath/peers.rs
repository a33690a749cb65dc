//! Frames that another balancer sent are not balanced again: a host that is a server of the service takes them, one
//! that is none drops them.

use etherparse::Ipv4Header;

use crate::*;

/// The MAC of a peer that is no server.
const PEER: [u8; 6] = [2, 0, 0, 0, 3, 2];

/// A service of three servers, of which the first is the gateway itself.
fn here(name: &str, address: &str, what: &str) -> String {
    let own = if address.contains(':') { "fd00::1" } else { "10.0.0.1" };
    service(name, address, what, 11..14).replacen(&server(address, 11), own, 1)
}

fn from(mac: [u8; 6], frame: &[u8]) -> Vec<u8> {
    [&frame[..6], &mac, &frame[12..]].concat()
}

/// Makes the gateway know a peer's MAC.
fn know(bench: &Bench, peers: &[&str]) {
    bench.gateway.ip("link set eth0 up");
    let mac = PEER.map(|byte| format!("{byte:02x}")).join(":");
    for peer in peers {
        bench.gateway.ip(&format!("neigh replace {peer} lladdr {mac} dev eth0 nud permanent"));
    }
}

/// Every kind of packet of a service for `address`, by what is special about it. Each has another source port, so that
/// the servers of the 5-tuple differ.
fn kinds(address: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (client, to): (IpAddr, IpAddr) = (clients(address)[0], address.parse().unwrap());
    let packet = ip(client, to, TCP, &ports(40_000, 443));
    let tagged = |tags: &[(u16, u16)]| ethernet(GATEWAY, tags, ether_type(&packet), &packet);
    let quote = ip(to, client, TCP, &ports(443, 40_001)[..8]);
    let (icmp, kind) = if address.contains(':') { (ICMPV6, 3) } else { (ICMP, 11) };
    let error = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &quote].concat();
    let mut all = vec![
        ("plain", tagged(&[])),
        ("in a VLAN", tagged(&[(0x8100, 7)])),
        ("in two VLANs", tagged(&[(0x88a8, 7), (0x8100, 8)])),
        ("an ICMP error", to_service(address, icmp, &error)),
        ("portless", to_service(address, ESP, &[0; 8])),
    ];
    match (client, to) {
        (IpAddr::V4(client), IpAddr::V4(to)) => {
            let mut header: Ipv4Header = ipv4_header(client, to, TCP, 8);
            header.more_fragments = true;
            all.push(("a fragment", to_gateway(&ipv4_with(&header, &[0; 8]))));
            let mut header = ipv4_header(client, to, TCP, 20);
            header.options = [1; 4].as_slice().try_into().unwrap();
            header.total_len += 4;
            all.push(("with options", to_gateway(&ipv4_with(&header, &ports(40_002, 443)))));
        }
        (IpAddr::V6(client), IpAddr::V6(to)) => {
            let piece = [fragment(TCP, 1, true), vec![0; 8]].concat();
            all.push(("a fragment", to_gateway(&ipv6(client, to, FRAGMENT, &piece))));
            let chain = [extension(DESTINATION_OPTIONS, TCP, 0), ports(40_003, 443)].concat();
            all.push(("with extension headers", to_gateway(&ipv6(client, to, DESTINATION_OPTIONS, &chain))));
        }
        (client, to) => unreachable!("{client} → {to}"),
    }
    all
}

/// The configuration under which each kind belongs to the service `web`, or to one with the same servers.
fn services(address: &str, make: fn(&str, &str, &str) -> String) -> String {
    make("web", address, &format!("{HTTPS}\nfragments = \"balance\"")) + &make("esp", address, "protocol = \"esp\"")
}

const fn service_of(what: &str) -> &'static str {
    if matches!(what.as_bytes(), b"portless") { "esp" } else { "web" }
}

/// What another server of the service sends is passed to this host, whichever server the formula names, and counts for
/// this host; what clients send is balanced.
#[test]
fn a_server_takes_what_other_servers_of_the_service_send() {
    need_root!();
    for several in [false, true].into_iter().filter(|several| !several || support::several_buffers()) {
        let bench = if several { Bench::jumbo("") } else { Bench::new("") };
        for address in [WEB, WEB6, "198.51.100.0/24"] {
            bench.apply(&services(address, here));
            let own = if address.contains(':') { "fd00::1" } else { "10.0.0.1" };
            let to = if address.contains('/') { "198.51.100.77" } else { address };
            for (what, frame) in kinds(to) {
                let local = Expect::Local { service: service_of(what), server: own };
                for sender in [mac(12), mac(13)] {
                    bench.check(&format!("{what} to {address}, from {sender:02x?}"), &from(sender, &frame), local);
                }
                // Neither a client's router nor the MAC that the file gives the gateway itself is another server.
                let (action, out) = bench.run(&frame);
                assert_eq!(bench.run(&from(mac(11), &frame)), (action, from_either(&out, mac(11), action)), "{what}");
            }
            let sent = (0..40_u16).filter(|number| {
                let frame = to_gateway(&ip(client(to, *number), to.parse().unwrap(), TCP, &ports(1, 443)));
                bench.run(&frame).0 == XDP_TX
            });
            let sent = sent.count();
            assert!((20..40).contains(&sent), "{address}: {sent} of 40 were sent on");
        }
    }
}

/// A passed frame keeps its source.
fn from_either(frame: &[u8], source: [u8; 6], action: u32) -> Vec<u8> {
    if action == XDP_TX { frame.to_vec() } else { from(source, frame) }
}

fn client(service: &str, number: u16) -> IpAddr {
    if service.contains(':') {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100 + number).into()
    } else {
        Ipv4Addr::new(192, 0, 2, number as u8).into()
    }
}

/// A host that is no server of the service drops what a configured peer sends, and balances what anybody else does,
/// servers included.
#[test]
fn a_balancer_that_is_no_server_drops_what_a_peer_sends() {
    need_root!();
    let bench = Bench::new("");
    know(&bench, &["10.0.0.2", "fd00::2"]);
    for (address, peer) in [(WEB, "10.0.0.2"), (WEB6, "fd00::2"), (WEB, "fd00::2"), ("198.51.100.0/24", "10.0.0.2")] {
        let make = |name: &str, address: &str, what: &str| service(name, address, what, 11..14);
        // The gateway itself is in the list, too: all balancers may have the same file.
        bench.apply(&format!("peers = [\"{peer}\", \"10.0.0.1\"]\n{}", services(address, make)));
        let to = if address.contains('/') { "198.51.100.77" } else { address };
        for (what, frame) in kinds(to) {
            let what = format!("{what} to {address}");
            bench.check(&what, &from(PEER, &frame), Expect::Dropped(Outcome::Loop));
            let (action, out) = bench.run(&frame);
            assert_eq!(action, XDP_TX, "{what}: from a client");
            for other in [mac(12), GATEWAY, [2, 0, 0, 0, 3, 3]] {
                assert_eq!(bench.run(&from(other, &frame)), (XDP_TX, out.clone()), "{what}: from {other:02x?}");
            }
        }
    }
    // Without a service nothing is dropped.
    let other = to_gateway(&ip(clients(WEB)[0], "203.0.113.99".parse().unwrap(), TCP, &ports(1, 443)));
    passes(&bench, "no service", &from(PEER, &other), Outcome::NoService);
}

/// A peer that is a server of one service is a peer of all, and a server of one is a client of another.
#[test]
fn each_service_has_its_own_peers() {
    need_root!();
    let bench = Bench::new("");
    let two = here("web", WEB, HTTPS) + &service("mail", WEB, "protocol = \"tcp\"\nport = 25", 14..16);
    // A client whose packets to web are for another server, so that who takes them shows.
    let elsewhere = |client: &IpAddr| remainder(&sum(*client, WEB.parse().unwrap(), &[443]), 3) != 0;
    let client = clients(WEB).into_iter().find(elsewhere).unwrap();
    let frame = |port| to_gateway(&ip(client, WEB.parse().unwrap(), TCP, &ports(1, port)));
    bench.apply(&two);
    let local = Expect::Local { service: "web", server: "10.0.0.1" };
    bench.check("a server of web to web", &from(mac(12), &frame(443)), local);
    assert_eq!(bench.run(&from(mac(12), &frame(25))), bench.run(&frame(25)), "a server of web to mail");
    assert_eq!(bench.run(&from(mac(14), &frame(443))), bench.run(&frame(443)), "a server of mail to web");
    bench.apply(&format!("peers = [\"10.0.0.14\"]\n{two}"));
    bench.check("a peer to web", &from(mac(14), &frame(443)), local);
    bench.check("a peer to mail", &from(mac(14), &frame(25)), Expect::Dropped(Outcome::Loop));
    bench.check("a server of web to web", &from(mac(12), &frame(443)), local);
    assert_eq!(bench.run(&from(mac(12), &frame(25))), bench.run(&frame(25)), "a server of web to mail");
}

/// On standby everything passes, and without a server that is up all packets are dropped alike.
#[test]
fn standby_and_no_server_come_first() {
    need_root!();
    let bench = Bench::new(&here("web", WEB, HTTPS));
    let frame = from(mac(12), &to_gateway(&ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443))));
    bench.modlb.ok("standby");
    passes(&bench, "standby", &frame, Outcome::Standby);
    bench.modlb.ok("activate");
    bench.check("active", &frame, Expect::Local { service: "web", server: "10.0.0.1" });
    // A server that is down may forward nevertheless.
    bench.modlb.ok("server down web 10.0.0.12");
    bench.check("the sender is down", &frame, Expect::Local { service: "web", server: "10.0.0.1" });
    bench.modlb.ok("server down web 10.0.0.1");
    bench.check("this host is down", &frame, Expect::Local { service: "web", server: "10.0.0.1" });
    bench.modlb.ok("server down web 10.0.0.13");
    bench.check("all are down", &frame, Expect::Dropped(Outcome::NoServer));
}

/// `explain` and `status` say what the datapath does, and `export` what was configured.
#[test]
fn commands_know_the_peers() {
    need_root!();
    let bench = Bench::new("");
    know(&bench, &["10.0.0.2"]);
    let text = format!("peers = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\"]\n{}", service("web", WEB, HTTPS, 11..14));
    bench.apply(&text);
    let explain = |from: &str| bench.modlb.json(&format!("explain 198.51.100.7:1 {WEB}:443 {from}"));
    assert_eq!(explain("")["outcome"], "forwarded");
    let found = explain("--from 02:00:00:00:03:02");
    assert_eq!((&found["outcome"], &found["server"]), (&"loop".into(), &serde_json::Value::Null));
    assert_eq!(explain("")["from_peers"]["macs"], serde_json::json!(["02:00:00:00:03:02"]));
    let peers = &bench.modlb.json("status")["peers"];
    assert_eq!(
        *peers,
        serde_json::json!([
            { "address": "10.0.0.1", "mac": null, "this_host": true },
            { "address": "10.0.0.2", "mac": "02:00:00:00:03:02", "this_host": false },
            { "address": "10.0.0.3", "mac": null, "this_host": false },
        ])
    );
    assert!(bench.modlb.ok("export").contains("peers = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\"]"));

    bench.apply(&here("web", WEB, HTTPS));
    let found = explain("--from 02:00:00:00:01:0d");
    assert_eq!((&found["outcome"], &found["server"]), (&"local".into(), &"10.0.0.1".into()));
    assert_eq!(bench.modlb.json("status")["peers"], serde_json::Value::Null);
}

/// More peers than the table has room for are refused, and nothing changes.
#[test]
fn more_peers_than_there_is_room_for_are_refused() {
    need_root!();
    let bench = Bench::with("--mode generic --max-servers 8192 --max-services 128", "");
    // This host is a server of every service, and the other servers are different for each.
    let services = |count: u8| -> String {
        let others = |service: u8| {
            (1..=50).map(move |other| {
                format!(
                    "[[service.server]]\naddress = \"10.1.{service}.{other}\"\nmac = \"02:00:00:01:{service:02x}:{other:02x}\"\n"
                )
            })
        };
        let own = "[[service.server]]\naddress = \"10.0.0.1\"\n";
        let one = |number: u8| {
            let what = format!("protocol = \"tcp\"\nport = {number}");
            service(&format!("s{number}"), WEB, &what, 0..0) + own + &others(number).collect::<String>()
        };
        (1..=count).map(one).collect()
    };
    bench.apply(&services(81));
    let frame = |sender| from(sender, &to_gateway(&ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 81))));
    let local = Expect::Local { service: "s81", server: "10.0.0.1" };
    bench.check("the last that fits", &frame([2, 0, 0, 1, 81, 50]), local);
    let before = bench.modlb.json("status")["digest"].clone();
    let file = bench.modlb.file("many.toml", &services(82));
    let error = bench.modlb.fails(&format!("apply {}", file.display()));
    assert!(error.contains("82 different sets of peers, 4100 MACs in all, and there is room for 4096"), "{error}");
    assert_eq!(bench.modlb.json("status")["digest"], before);
    bench.check("still", &frame([2, 0, 0, 1, 81, 50]), local);
}
