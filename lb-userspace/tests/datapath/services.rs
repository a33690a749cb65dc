//! Which service a packet belongs to, and its outcome.

use crate::*;

/// A packet belongs to the most specific service that matches it.
#[test]
fn the_most_specific_service_wins() {
    need_root!();
    for address in [WEB, WEB6] {
        let (from, to) = (clients(address)[0], address.parse().unwrap());
        let bench = Bench::new(
            &[
                service("all", address, "", 31..36),
                service("tcp", address, "protocol = \"tcp\"", 21..24),
                service("web", address, HTTPS, 11..13),
                service("esp", address, "protocol = \"esp\"\nformula = \"5-tuple\"", 41..44),
            ]
            .concat(),
        );
        let send = |what: &str, protocol, payload: &[u8], name: &str, rest: &[u16], servers| {
            let frame = to_service(address, protocol, payload);
            sent(&bench, what, &frame, (name, address), &sum(from, to, rest), servers);
        };
        send("address, protocol, port", TCP, &ports(7, 443), "web", &[443], 11..13);
        send("address, protocol", TCP, &ports(7, 444), "tcp", &[444], 21..24);
        send("address, protocol without ports", ESP, &[1; 8], "esp", &[ESP.into()], 41..44);
        send("address; the port counts", UDP, &ports(7, 53), "all", &[53], 31..36);
        send("address; no ports", 89, &[1; 8], "all", &[], 31..36);
        send("nothing after the header", 89, &[], "all", &[], 31..36);
        let (icmp, echo) = if address == WEB { (ICMP, 8) } else { (ICMPV6, 128) };
        send("echo", icmp, &[echo, 0, 0, 0, 0, 7, 0, 1], "all", &[], 31..36);
    }
}

#[test]
fn packets_that_match_no_service_pass() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..14));
    let (from, to) = (clients(WEB)[0], WEB.parse().unwrap());
    let frame = |from, to, protocol, payload: &[u8]| to_gateway(&ip(from, to, protocol, payload));
    let other = "203.0.113.11".parse().unwrap();
    let same_number = frame("::7".parse().unwrap(), "::cb00:710a".parse().unwrap(), TCP, &ports(1, 443));
    for (what, frame) in [
        ("another address", frame(from, other, TCP, &ports(1, 443))),
        ("another protocol", frame(from, to, UDP, &ports(1, 443))),
        ("the reverse", frame(to, from, TCP, &ports(443, 1))),
        ("no ports", frame(from, to, ESP, &[0; 8])),
        ("an IPv6 address with the same number", same_number),
    ] {
        passes(&bench, what, &frame, Outcome::NoService);
    }
    bench.apply("empty = true");
    passes(&bench, "no services at all", &to_service(WEB, TCP, &ports(1, 443)), Outcome::NoService);
}

#[test]
fn packets_without_a_server_are_dropped() {
    need_root!();
    for address in [WEB, WEB6] {
        let frame = to_service(address, TCP, &ports(1, 443));
        let bench = Bench::new(&service("web", address, HTTPS, 11..11));
        bench.check("no servers", &frame, Expect::Dropped(Outcome::NoServer));
        bench.apply(&service("web", address, HTTPS, 11..13).replace("mac", "state = \"down\"\nmac"));
        bench.check("all down", &frame, Expect::Dropped(Outcome::NoServer));
        bench.modlb.ok(&format!("server up web {}", server(address, 12)));
        let only = server(address, 12);
        bench.check("one up", &frame, Expect::Sent { service: "web", server: &only, mac: mac(12) });
    }
}

#[test]
fn standby_passes_everything() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    let frame = to_service(WEB, TCP, &ports(1, 443));
    let sent = Expect::Sent { service: "web", server: "10.0.0.11", mac: mac(11) };
    bench.check("active", &frame, sent);
    assert_eq!(bench.modlb.ok("standby"), "standby\n");
    passes(&bench, "on standby", &frame, Outcome::Standby);
    passes(&bench, "broken, on standby", &frame[..24], Outcome::Standby);
    passes(&bench, "not ours, on standby", &[&[0xff; 6], &frame[6..]].concat(), Outcome::NotOurs);
    bench.apply(&service("web", WEB, &format!("{HTTPS}\nformula = \"5-tuple\""), 11..12));
    passes(&bench, "a change does not end standby", &frame, Outcome::Standby);
    assert_eq!(bench.modlb.ok("standby"), "already standby\n");
    assert_eq!(bench.modlb.ok("activate"), "active\n");
    bench.check("active again", &frame, sent);
}

#[test]
fn packets_pass_if_the_server_is_this_host() {
    need_root!();
    for address in [WEB, WEB6] {
        // Number 1 is the address of the gateway's own interface.
        let bench = Bench::new(&service("web", address, HTTPS, 1..3));
        let to = address.parse().unwrap();
        let net = if address == WEB { "198.51.100." } else { "2001:db8::" };
        for client in 0..4 {
            let from: IpAddr = format!("{net}{client}").parse().unwrap();
            let number = chosen(&sum(from, to, &[443]), &(1..3));
            let server = server(address, number);
            let expect = match number {
                1 => Expect::Local { service: "web", server: &server },
                _ => Expect::Sent { service: "web", server: &server, mac: mac(number) },
            };
            bench.check("this host or another", &to_gateway(&ip(from, to, TCP, &ports(1, 443))), expect);
        }
    }
}
