//! ICMP errors reach the server that sent the packet that caused them.

use crate::*;

const PORT: u16 = 51_234;

/// An error of this type from a router to the service, with a quote.
fn error(service: &str, kind: u8, quote: &[u8]) -> Vec<u8> {
    error_to(service.parse().unwrap(), kind, quote)
}

fn error_to(to: IpAddr, kind: u8, quote: &[u8]) -> Vec<u8> {
    let (router, protocol) = match to {
        IpAddr::V4(_) => ("192.0.2.1", ICMP),
        IpAddr::V6(_) => ("2001:db8:9::1", ICMPV6),
    };
    to_gateway(&ip(router.parse().unwrap(), to, protocol, &message(kind, quote)))
}

fn message(kind: u8, quote: &[u8]) -> Vec<u8> {
    [&[kind, 1, 0xab, 0xcd, 0, 0, 0x05, 0x78][..], quote].concat()
}

fn kinds(service: &str) -> &'static [u8] {
    if service == WEB { &[3, 11, 12] } else { &[1, 2, 3, 4] }
}

/// A packet from the service to a client.
fn answer(service: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip(service.parse().unwrap(), clients(service)[0], protocol, payload)
}

/// The sum of the quoted packet's flow.
fn sum_of(service: &str, rest: &[u16]) -> BigUint {
    sum(clients(service)[0], service.parse().unwrap(), rest)
}

fn bench(service: &str) -> Bench {
    Bench::new(&self::service("web", service, &format!("{HTTPS}\nformula = \"5-tuple\""), 11..18))
}

fn reaches(bench: &Bench, what: &str, service: &str, frame: &[u8]) {
    sent(bench, what, frame, ("web", service), &sum_of(service, &[443, PORT, TCP.into()]), 11..18);
}

#[test]
fn every_error_follows_its_quote() {
    need_root!();
    for service in [WEB, WEB6] {
        let bench = bench(service);
        let quote = answer(service, TCP, &ports(443, PORT));
        for kind in kinds(service) {
            reaches(&bench, &format!("type {kind}"), service, &error(service, *kind, &quote));
        }
        // Lengths in quoted headers are those of the whole packet, not of the quote.
        let whole = if service == WEB { 20 } else { 40 };
        let enough = whole + 4;
        for length in enough..quote.len() {
            reaches(
                &bench,
                &format!("{length} bytes quoted"),
                service,
                &error(service, kinds(service)[0], &quote[..length]),
            );
        }
        for length in 0..enough {
            let frame = error(service, kinds(service)[0], &quote[..length]);
            passes(&bench, &format!("{length} bytes quoted"), &frame, Outcome::NoService);
        }
    }
}

#[test]
fn other_icmp_messages_are_ordinary_packets() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = bench(address);
        let quote = answer(address, TCP, &ports(443, PORT));
        let others: &[u8] = if address == WEB { &[0, 4, 5, 8, 13, 40] } else { &[0, 5, 100, 127, 128, 129] };
        for kind in others {
            passes(&bench, &format!("type {kind}"), &error(address, *kind, &quote), Outcome::NoService);
        }
        // A service without a port takes them like any other packet, but an error follows its quote.
        bench.apply(&[service("web", address, HTTPS, 11..18), service("all", address, "", 31..36)].concat());
        let router: IpAddr = if address == WEB { "192.0.2.1" } else { "2001:db8:9::1" }.parse().unwrap();
        for kind in others {
            let sum = sum(router, address.parse().unwrap(), &[]);
            sent(&bench, &format!("type {kind}"), &error(address, *kind, &quote), ("all", address), &sum, 31..36);
        }
        let frame = error(address, kinds(address)[0], &quote);
        sent(&bench, "an error", &frame, ("web", address), &sum_of(address, &[443]), 11..18);
        let udp = error(address, kinds(address)[0], &answer(address, UDP, &ports(53, PORT)));
        sent(&bench, "an error about UDP", &udp, ("all", address), &sum_of(address, &[53]), 31..36);
    }
}

#[test]
fn errors_whose_quote_matches_no_service_pass() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::new(&[service("web", address, HTTPS, 11..14), service("all", address, "", 31..36)].concat());
        let kind = kinds(address)[0];
        let (to, client): (IpAddr, _) = (address.parse().unwrap(), clients(address)[0]);
        let other: IpAddr = if address == WEB { "203.0.113.11" } else { "2001:db8:f00::11" }.parse().unwrap();
        let good = answer(address, TCP, &ports(443, PORT));
        let icmp = if address == WEB { ICMP } else { ICMPV6 };
        let mut version = good.clone();
        version[0] ^= 0x70;
        let wrong_family =
            if address == WEB { answer(WEB6, TCP, &ports(443, PORT)) } else { answer(WEB, TCP, &ports(443, PORT)) };
        for (what, frame) in [
            ("another source", error(address, kind, &ip(other, client, TCP, &ports(443, PORT)))),
            ("not swapped", error(address, kind, &ip(client, to, TCP, &ports(PORT, 443)))),
            ("another destination of the error", error_to(other, kind, &good)),
            ("an error about an error", error(address, kind, &answer(address, icmp, &message(kind, &good)))),
            ("another version", error(address, kind, &version)),
            ("another family", error(address, kind, &wrong_family)),
            ("nothing", error(address, kind, &[])),
        ] {
            passes(&bench, what, &frame, Outcome::NoService);
        }
        let frame = error(address, kind, &answer(address, icmp, &message(if address == WEB { 0 } else { 129 }, &[])));
        sent(&bench, "an error about an echo reply", &frame, ("all", address), &sum_of(address, &[]), 31..36);
    }
}

#[test]
fn quotes_with_ipv4_options_are_read() {
    need_root!();
    let bench = bench(WEB);
    let IpAddr::V4(client) = clients(WEB)[0] else { unreachable!() };
    for words in 0..=10 {
        let mut header = ipv4_header(WEB.parse().unwrap(), client, TCP, 32);
        header.options = vec![1; words * 4].as_slice().try_into().unwrap();
        header.total_len = header.header_len() as u16 + 32;
        let quote = ipv4_with(&header, &ports(443, PORT));
        reaches(&bench, &format!("{words} words"), WEB, &error(WEB, 3, &quote));
        // RFC 792 requires the header and 8 bytes.
        reaches(&bench, &format!("{words} words, cut"), WEB, &error(WEB, 11, &quote[..header.header_len() + 8]));
    }
}

#[test]
fn quotes_with_ipv6_extension_headers_are_read() {
    need_root!();
    let bench = bench(WEB6);
    let (IpAddr::V6(client), to) = (clients(WEB6)[0], WEB6.parse().unwrap()) else { unreachable!() };
    let kinds = [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, AH];
    for count in 1..=9_u8 {
        let (next, payload) = (0..count).rev().fold((TCP, ports(443, PORT)), |(next, rest), i| {
            let kind = kinds[usize::from(i) % 4];
            (kind, [extension(kind, next, i % 3), rest].concat())
        });
        let frame = error(WEB6, 2, &ipv6(to, client, next, &payload));
        if count <= 8 {
            reaches(&bench, &format!("{count} headers"), WEB6, &frame);
        } else {
            passes(&bench, "nine headers", &frame, Outcome::NoService);
        }
    }
    // The error's own extension headers are skipped before the quote's.
    let quote = ipv6(to, client, TCP, &ports(443, PORT));
    let outer = [extension(DESTINATION_OPTIONS, ICMPV6, 1), message(2, &quote)].concat();
    let frame = to_gateway(&ipv6("2001:db8:9::1".parse().unwrap(), to, DESTINATION_OPTIONS, &outer));
    reaches(&bench, "extension headers outside", WEB6, &frame);
}

/// An error goes by the ports of a quoted first fragment; a later fragment follows the rule for fragments.
#[test]
fn quoted_fragments_are_treated_like_fragments() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = bench(address);
        let fragment_of = |offset: u16, more: bool| {
            let payload = ports(443, PORT);
            let packet = match (address.parse().unwrap(), clients(address)[0]) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    let mut header = ipv4_header(from, to, TCP, payload.len());
                    header.more_fragments = more;
                    header.fragment_offset = offset.try_into().unwrap();
                    ipv4_with(&header, &payload)
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    ipv6(from, to, FRAGMENT, &[fragment(TCP, offset, more), payload].concat())
                }
                (from, to) => unreachable!("{from} → {to}"),
            };
            error(address, kinds(address)[0], &packet)
        };
        reaches(&bench, "the first fragment", address, &fragment_of(0, true));
        passes(&bench, "a later fragment", &fragment_of(5, true), Outcome::Fragment);
        passes(&bench, "the last fragment", &fragment_of(5, false), Outcome::Fragment);
        bench.apply(&service("web", address, &format!("{HTTPS}\nfragments = \"balance\""), 11..18));
        let (first, later) = (fragment_of(0, true), fragment_of(5, true));
        sent(&bench, "a later fragment, balanced", &later, ("web", address), &sum_of(address, &[]), 11..18);
        sent(&bench, "the first fragment", &first, ("web", address), &sum_of(address, &[443]), 11..18);
    }
}

/// Behind VLAN tags, on standby, and truncated, an error is treated like any packet.
#[test]
fn errors_are_treated_like_other_packets() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = bench(address);
        let whole = error(address, kinds(address)[0], &answer(address, TCP, &ports(443, PORT)));
        let tagged = [&whole[..12], &[0x81, 0, 0, 7], &whole[12..]].concat();
        reaches(&bench, "behind a tag", address, &tagged);
        for length in 14..whole.len() {
            passes(&bench, &format!("{length} bytes"), &whole[..length], Outcome::Malformed);
        }
        bench.modlb.ok("standby");
        passes(&bench, "on standby", &whole, Outcome::Standby);
    }
}
