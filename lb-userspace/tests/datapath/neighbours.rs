//! A member answers requests for a service's address with the group's MAC; all other requests pass.

use etherparse::{Icmpv6Type, PacketHeaders, TransportHeader};

use crate::*;

const GROUP: [u8; 6] = [1, 0, 0x5e, 0x7f, 0, 9];
const HEAD: &str = "role = \"member\"\nself = [\"10.0.0.11\", \"fd00::b\"]\ngroup_mac = \"01:00:5e:7f:00:09\"\n";

fn configuration(head: &str) -> String {
    let net = service("net", "203.0.113.0/24", HTTPS, 11..14);
    format!("{head}{}{}{net}", service("web", WEB, HTTPS, 11..14), service("web6", WEB6, HTTPS, 11..14))
}

/// ARP from `sender`, which has the MAC [`ROUTER`].
fn arp(destination: [u8; 6], operation: u8, sender: &str, target: &str) -> Vec<u8> {
    let octets = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    let message = [&head[..], &ROUTER, &octets(sender), &[0; 6], &octets(target), &[0; 18]].concat();
    ethernet(destination, &[], 0x0806, &message)
}

#[test]
fn arp_requests_for_services_are_answered() {
    need_root!();
    let bench = Bench::new(&configuration(&format!("{HEAD}answer_arp = true\n")));
    let octets = |text: &str| text.parse::<Ipv4Addr>().unwrap().octets();
    for (what, destination) in [("broadcast", [0xff; 6]), ("to the group", GROUP), ("to this host", GATEWAY)] {
        for sender in ["10.0.0.2", "0.0.0.0"] {
            let question = arp(destination, 1, sender, WEB);
            let head = [0, 1, 8, 0, 6, 4, 0, 2];
            let rest = [&GROUP[..], &octets(WEB), &ROUTER, &octets(sender), &[0; 18]].concat();
            let answer = [&ROUTER[..], &GATEWAY, &[8, 6], &head, &rest].concat();
            bench.check(&format!("{what} from {sender}"), &question, Expect::Answered(&answer));
        }
    }
    let broadcast = [0xff; 6];
    for (what, frame) in [
        ("for another address", arp(broadcast, 1, "10.0.0.2", "203.0.113.11")),
        ("for this host", arp(broadcast, 1, "10.0.0.2", "10.0.0.1")),
        ("an announcement", arp(broadcast, 1, WEB, WEB)),
        ("an answer", arp(broadcast, 2, "10.0.0.2", WEB)),
        ("truncated", arp(broadcast, 1, "10.0.0.2", WEB)[..41].to_vec()),
    ] {
        passes(&bench, what, &frame, Outcome::NotOurs);
    }
    passes(&bench, "to this host, for it", &arp(GATEWAY, 1, "10.0.0.2", "10.0.0.1"), Outcome::NotIp);
    bench.modlb.ok("standby");
    passes(&bench, "on standby", &arp(broadcast, 1, "10.0.0.2", WEB), Outcome::NotOurs);
    bench.modlb.ok("activate");
    bench.apply(&configuration(HEAD));
    passes(&bench, "without `answer_arp`", &arp(broadcast, 1, "10.0.0.2", WEB), Outcome::NotOurs);
}

/// A neighbour solicitation with the sender's MAC.
fn solicitation(destination: [u8; 6], source: &str, target: &str, hops: u8, options: &[u8]) -> Vec<u8> {
    let target = target.parse::<Ipv6Addr>().unwrap().octets();
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target, options].concat();
    let mut packet = ipv6(source.parse().unwrap(), "ff02::1:ff00:10".parse().unwrap(), ICMPV6, &message);
    packet[7] = hops;
    ethernet(destination, &[], 0x86dd, &packet)
}

#[test]
fn neighbour_solicitations_for_services_are_answered() {
    need_root!();
    let bench = Bench::new(&configuration(&format!("{HEAD}answer_arp = true\n")));
    let option = [&[1, 1][..], &ROUTER].concat();
    let multicast = [0x33, 0x33, 0xff, 0, 0, 0x10];
    for (what, destination) in [("multicast", multicast), ("to the group", GROUP), ("to this host", GATEWAY)] {
        for source in ["fe80::2", "2001:db8::ffff:ffff"] {
            let question = solicitation(destination, source, WEB6, 255, &option);
            let (action, answer) = bench.run(&question);
            assert_eq!(action, support::bench::XDP_TX, "{what} from {source}");
            assert_eq!(answer[..14], *[&ROUTER[..], &GATEWAY, &[0x86, 0xdd]].concat());
            assert_eq!(answer[14..22], question[14..22], "the same except for the addresses");
            let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
            assert_eq!(answer[22..54], *[octets(WEB6), octets(source)].concat());
            let rest = [&[0x60, 0, 0, 0][..], &octets(WEB6), &[2, 1], &GROUP].concat();
            assert_eq!((&answer[54..56], &answer[58..]), (&[136, 0][..], &rest[..]));
            assert_checksum(&answer, octets(source));
        }
    }
    let before = bench.counters();
    bench.run(&solicitation(multicast, "fe80::2", WEB6, 255, &option));
    let answered = |counters: &support::bench::Counters| counters["outcome answered"].packets;
    assert_eq!(answered(&bench.counters()), answered(&before) + 1);

    for (what, frame) in [
        ("for another address", solicitation(multicast, "fe80::2", "2001:db8:f00::11", 255, &option)),
        ("for duplicates", solicitation(multicast, "::", WEB6, 255, &option)),
        ("from beyond the link", solicitation(multicast, "fe80::2", WEB6, 254, &option)),
        ("without the option", solicitation(multicast, "fe80::2", WEB6, 255, &[])),
    ] {
        passes(&bench, what, &frame, Outcome::NotOurs);
    }
    let mut advertisement = solicitation(multicast, "fe80::2", WEB6, 255, &option);
    advertisement[54] = 136;
    passes(&bench, "an advertisement", &advertisement, Outcome::NotOurs);
    let other = solicitation(GATEWAY, "fe80::2", "2001:db8:f00::11", 255, &option);
    passes(&bench, "to this host for another", &other, Outcome::NoService);
}

/// Checked by a library that shares no code with the datapath.
fn assert_checksum(frame: &[u8], to: [u8; 16]) {
    let parsed = PacketHeaders::from_ethernet_slice(frame).unwrap();
    let Some(TransportHeader::Icmpv6(header)) = parsed.transport else { panic!("{parsed:?}") };
    assert!(!matches!(header.icmp_type, Icmpv6Type::Unknown { type_u8: 135, .. }));
    let source = WEB6.parse::<Ipv6Addr>().unwrap().octets();
    let wanted = header.icmp_type.calc_checksum(source, to, parsed.payload.slice()).unwrap();
    assert_eq!(header.checksum, wanted);
}
