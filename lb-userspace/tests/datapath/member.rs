//! Role `member`: which packets are accepted, left to others, or passed.

use crate::*;

/// The MAC of the group.
const GROUP: [u8; 6] = [1, 0, 0x5e, 0x7f, 0, 9];

/// The servers of a group of three, of which this host is the second.
const MEMBERS: Range<u8> = 11..14;
const SELF: u8 = 12;

const HEAD: &str = "role = \"member\"\nself = [\"10.0.0.12\", \"fd00::c\"]\ngroup_mac = \"01:00:5e:7f:00:09\"\n";

/// A frame to the group with an IP packet in it.
fn to_group(packet: &[u8]) -> Vec<u8> {
    ethernet(GROUP, &[], ether_type(packet), packet)
}

/// Checks that the packet is accepted only by the member that a sum names; `service` is a name and an address.
fn judged(bench: &Bench, what: &str, frame: &[u8], (name, address): (&str, &str), sum: &BigUint) {
    let number = chosen(sum, &MEMBERS);
    let server = server(address, number);
    let expect = match number {
        SELF => Expect::Accepted { service: name, server: &server },
        _ => Expect::Others { service: name, server: &server },
    };
    bench.check(what, frame, expect);
}

fn bench(services: &[String]) -> Bench {
    Bench::new(&format!("{HEAD}{}", services.concat()))
}

#[test]
fn exactly_one_member_takes_each_packet() {
    need_root!();
    for formula in ["3-tuple", "5-tuple"] {
        let what = format!("{HTTPS}\nformula = \"{formula}\"");
        let bench = bench(&[service("web", WEB, &what, MEMBERS), service("web6", WEB6, &what, MEMBERS)]);
        for (name, to) in [("web", WEB), ("web6", WEB6)] {
            for from in clients(to) {
                for port in [1, 2, 3, 65_535] {
                    let frame = to_group(&ip(from, to.parse().unwrap(), TCP, &ports(port, 443)));
                    let rest: &[u16] = if formula == "3-tuple" { &[443] } else { &[port, 443, TCP as u16] };
                    let sum = sum(from, to.parse().unwrap(), rest);
                    judged(&bench, &format!("{from}:{port} → {to}, {formula}"), &frame, (name, to), &sum);
                }
            }
        }
    }
}

/// Every outcome, by IPv4 and IPv6 where both have it.
#[test]
fn every_outcome_occurs() {
    need_root!();
    let bench = bench(&[
        service("web", WEB, HTTPS, MEMBERS),
        service("web6", WEB6, HTTPS, MEMBERS),
        service("none", "203.0.113.99", "", 0..0),
    ]);
    for (name, to) in [("web", WEB), ("web6", WEB6)] {
        let from = clients(to)[0];
        let packet = ip(from, to.parse().unwrap(), TCP, &ports(7, 443));
        let sum = sum(from, to.parse().unwrap(), &[443]);
        let frame = |destination| ethernet(destination, &[], ether_type(&packet), &packet);
        for (what, destination) in [
            ("the group's MAC", GROUP),
            ("this host's MAC", GATEWAY),
            ("a virtual router's MAC", [0, 0, 0x5e, 0, 1, 7]),
            ("a virtual router's MAC, IPv6", [0, 0, 0x5e, 0, 2, 7]),
        ] {
            judged(&bench, what, &frame(destination), (name, to), &sum);
        }
        for (what, destination) in [
            ("another host's MAC", [2, 0, 0, 0, 0, 9]),
            ("another group's MAC", [1, 0, 0x5e, 0x7f, 0, 8]),
            ("broadcast", [0xff; 6]),
            ("the zero MAC", [0; 6]),
        ] {
            passes(&bench, what, &frame(destination), Outcome::NotOurs);
        }
        let tagged = ethernet(GROUP, &[(0x88a8, 5), (0x8100, 6)], ether_type(&packet), &packet);
        judged(&bench, "two VLAN tags", &tagged, (name, to), &sum);
        let other = to_group(&ip(from, to.parse().unwrap(), TCP, &ports(7, 80)));
        passes(&bench, "another port", &other, Outcome::NoService);
        let mut broken = frame(GROUP);
        broken[14] = 0x51;
        passes(&bench, "broken", &broken, Outcome::Malformed);
    }
    passes(&bench, "LLDP", &ethernet(GROUP, &[], 0x88cc, &[0; 46]), Outcome::NotIp);
    let no_server = to_group(&ip(clients(WEB)[0], "203.0.113.99".parse().unwrap(), TCP, &ports(7, 443)));
    bench.check("a service without servers", &no_server, Expect::Dropped(Outcome::NoServer));
    let many = [vec![extension(HOP_BY_HOP, HOP_BY_HOP, 0); 9].concat(), ports(7, 443)].concat();
    let many = to_group(&ip(clients(WEB6)[0], WEB6.parse().unwrap(), HOP_BY_HOP, &many));
    passes(&bench, "nine extension headers", &many, Outcome::TooManyHeaders);

    bench.modlb.ok("standby");
    let frame = to_group(&ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(7, 443)));
    passes(&bench, "on standby", &frame, Outcome::Standby);
}

/// Fragments and ICMP errors go to the same server as on a balancer; neighbour discovery matches no service.
#[test]
fn fragments_and_errors_go_to_one_member_and_neighbour_discovery_passes() {
    need_root!();
    let bench = bench(&[
        service("web", WEB, &format!("{HTTPS}\nfragments = \"balance\""), MEMBERS),
        service("all6", WEB6, "", MEMBERS),
        service("pass", "203.0.113.11", HTTPS, MEMBERS),
    ]);
    let (from, to): (Ipv4Addr, Ipv4Addr) = ("198.51.100.7".parse().unwrap(), WEB.parse().unwrap());
    let mut header = ipv4_header(from, to, TCP, 32);
    header.more_fragments = true;
    let fragment = to_group(&ipv4_with(&header, &ports(7, 443)));
    judged(&bench, "a fragment", &fragment, ("web", WEB), &sum(from.into(), to.into(), &[]));
    header.destination = [203, 0, 113, 11];
    passes(
        &bench,
        "a fragment that no service takes",
        &to_group(&ipv4_with(&header, &ports(7, 443))),
        Outcome::Fragment,
    );
    let quote = ip(to.into(), from.into(), TCP, &ports(443, 7));
    let error = ip("192.0.2.1".parse().unwrap(), to.into(), ICMP, &[&[3, 4, 0, 0, 0, 0, 0, 0][..], &quote].concat());
    judged(&bench, "an error", &to_group(&error), ("web", WEB), &sum(from.into(), to.into(), &[443]));
    for kind in (130..=137).chain([143]) {
        let message = ip(clients(WEB6)[0], WEB6.parse().unwrap(), ICMPV6, &[kind, 0, 0, 0, 0, 0, 0, 0]);
        passes(&bench, &format!("ICMPv6 {kind}"), &to_group(&message), Outcome::NoService);
    }
}

/// A TCP segment from port 7 to port 443 with these flags.
fn segment(from: IpAddr, to: IpAddr, flags: u8) -> Vec<u8> {
    let rest = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0];
    to_group(&ip(from, to, TCP, &[&ports(7, 443)[..4], &rest].concat()))
}

/// The slots of a member that is down are dealt to the others, and this host accepts the new connections of its part.
/// What may belong to a connection that the member still holds, nobody answers.
#[test]
fn the_others_share_the_new_connections_of_a_member_that_is_down() {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    need_root!();
    let bench = bench(&[service("web", WEB, HTTPS, MEMBERS), service("web6", WEB6, HTTPS, MEMBERS)]);
    for (name, to, down, clients) in
        [("web", WEB, "10.0.0.11", "198.51.100."), ("web6", WEB6, "fd00::b", "2001:db8:1::")]
    {
        bench.modlb.ok(&format!("server down {name} {down}"));
        let (mut accepted, mut left, to_ip) = (0, 0, to.parse().unwrap());
        for last in 10..99 {
            let from: IpAddr = format!("{clients}{last}").parse().unwrap();
            let home = chosen(&sum(from, to_ip, &[443]), &MEMBERS);
            let accepts = |flags| bench.run(&segment(from, to_ip, flags)).0 == support::bench::XDP_PASS;
            let opens = accepts(SYN);
            match home {
                SELF => assert!(opens, "{from} belongs to this host"),
                11 => *(if opens { &mut accepted } else { &mut left }) += 1,
                _ => assert!(!opens, "{from} belongs to the third member"),
            }
            assert!(!accepts(ACK), "{from} may have a connection that the member holds which is down");
            let [client, service] = [(from, 7), (to_ip, 443)].map(std::net::SocketAddr::from);
            let explained = bench.modlb.json(&format!("explain {client} {service}"));
            assert_eq!(explained["outcome"] == "accepted", opens, "{explained}");
            let mut holders = explained["holders"].as_array().unwrap().iter();
            assert!(holders.any(|holder| holder["server"] == down), "{explained}");
        }
        bench.modlb.ok(&format!("server up {name} {down}"));
        for last in 10..99 {
            let from: IpAddr = format!("{clients}{last}").parse().unwrap();
            let frame = segment(from, to_ip, ACK);
            judged(&bench, "all are up", &frame, (name, to), &sum(from, to_ip, &[443]));
        }
        assert!(accepted > 5 && left > 5, "{accepted} accepted, {left} left to the third");
    }
}

/// Both directions of a session have the same sum.
#[test]
fn both_directions_reach_the_same_member() {
    need_root!();
    for (formula, name, net, near, far) in [
        ("3-tuple", "net", "203.0.113.0/24", WEB, "198.51.100.7"),
        ("5-tuple", "net", "203.0.113.0/24", WEB, "198.51.100.7"),
        ("3-tuple", "net6", "2001:db8:f00::/64", WEB6, "2001:db8::7"),
        ("5-tuple", "net6", "2001:db8:f00::/64", WEB6, "2001:db8::7"),
        ("3-tuple", "one", WEB, WEB, "198.51.100.7"),
        ("3-tuple", "one6", WEB6, WEB6, "2001:db8::7"),
    ] {
        let what = |direction: &str| format!("formula = \"{formula}\"\ndirection = \"{direction}\"");
        let bench = bench(&[service(name, net, &what("both"), MEMBERS)]);
        let (near_ip, far_ip): (IpAddr, IpAddr) = (near.parse().unwrap(), far.parse().unwrap());
        let (there, back) = (
            |port| to_group(&ip(far_ip, near_ip, UDP, &ports(port, 53))),
            |port| to_group(&ip(near_ip, far_ip, UDP, &ports(53, port))),
        );
        let sum_of = |port| match formula {
            "3-tuple" => sum(far_ip, near_ip, &[53]),
            _ => sum(far_ip, near_ip, &[port, 53, UDP.into()]),
        };
        for port in [1_024, 1_025, 1_026, 40_000] {
            judged(&bench, "there", &there(port), (name, near), &sum_of(port));
            judged(&bench, "and back", &back(port), (name, near), &sum_of(port));
        }
        let stranger = if near_ip.is_ipv4() { "192.0.2.1" } else { "2001:db8:bad::1" }.parse().unwrap();
        passes(&bench, "neither", &to_group(&ip(stranger, far_ip, UDP, &ports(53, 53))), Outcome::NoService);

        bench.apply(&format!("{HEAD}{}", service(name, net, &what("reply"), MEMBERS)));
        passes(&bench, "reply: there", &there(1_024), Outcome::NoService);
        judged(&bench, "reply: and back", &back(1_024), (name, near), &sum_of(1_024));
        bench.apply(&format!("{HEAD}{}", service(name, net, &what("forward"), MEMBERS)));
        judged(&bench, "forward: there", &there(1_024), (name, near), &sum_of(1_024));
        passes(&bench, "forward: and back", &back(1_024), Outcome::NoService);
    }
}

/// A router reports that a reply was too big, and a client that its port is closed: the errors follow their sessions.
#[test]
fn errors_follow_their_session_in_both_directions() {
    need_root!();
    let bench = bench(&[service("net", "203.0.113.0/24", "direction = \"both\"", MEMBERS)]);
    let (client, near): (IpAddr, IpAddr) = (clients(WEB)[0], WEB.parse().unwrap());
    let sum = sum(client, near, &[53]);
    let error = |to: IpAddr, quote: Vec<u8>| {
        let message = [&[3, 4, 0, 0, 0, 0, 0, 0][..], &quote].concat();
        to_group(&ip("192.0.2.1".parse().unwrap(), to, ICMP, &message))
    };
    let reply = error(near, ip(near, client, UDP, &ports(53, 7)));
    judged(&bench, "about a reply", &reply, ("net", WEB), &sum);
    let request = error(client, ip(client, near, UDP, &ports(7, 53)));
    judged(&bench, "about a request", &request, ("net", WEB), &sum);
}

/// Frames from a mirror port still have their original destinations.
#[test]
fn a_promiscuous_member_takes_frames_to_any_mac() {
    need_root!();
    let bench = Bench::new(&format!(
        "role = \"member\"\nself = \"10.0.0.12\"\npromiscuous = true\n{}",
        service("web", WEB, HTTPS, MEMBERS)
    ));
    let packet = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(7, 443));
    let sum = sum(clients(WEB)[0], WEB.parse().unwrap(), &[443]);
    for destination in [GATEWAY, GROUP, [2, 9, 9, 9, 9, 9], [0xff; 6]] {
        let frame = ethernet(destination, &[], 0x0800, &packet);
        judged(&bench, &format!("to {destination:02x?}"), &frame, ("web", WEB), &sum);
    }
}
