//! IPv6 extension headers, and packets that no service takes.

use crate::*;

const FIVE_TUPLE: &str = "protocol = \"tcp\"\nport = 443\nformula = \"5-tuple\"";

fn addresses() -> (Ipv6Addr, Ipv6Addr) {
    ("2001:db8::7".parse().unwrap(), WEB6.parse().unwrap())
}

fn whole_sum() -> BigUint {
    let (from, to) = addresses();
    sum(from.into(), to.into(), &[51_234, 443, TCP.into()])
}

/// A chain of extension headers before TCP; each is given with its number of extra 8-byte units.
fn chain(kinds: &[(u8, u8)]) -> (u8, Vec<u8>) {
    kinds.iter().rev().fold((TCP, ports(51_234, 443)), |(next, rest), (kind, extra)| {
        (*kind, [extension(*kind, next, *extra), rest].concat())
    })
}

fn chained(kinds: &[(u8, u8)]) -> Vec<u8> {
    let (next, payload) = chain(kinds);
    let (from, to) = addresses();
    to_gateway(&ipv6(from, to, next, &payload))
}

#[test]
fn extension_headers_are_skipped() {
    need_root!();
    let bench = Bench::new(&service("web", WEB6, FIVE_TUPLE, 11..14));
    let kinds = [HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, AH];
    let one = kinds.into_iter().flat_map(|kind| [0, 1, 5].map(|extra| vec![(kind, extra)]));
    let several = (2..=8_u8).map(|count| (0..count).map(|i| (kinds[usize::from(i) % 4], i % 3)).collect());
    for chain in one.chain(several) {
        sent(&bench, &format!("{chain:?}"), &chained(&chain), ("web", WEB6), &whole_sum(), 11..14);
    }
    for kind in kinds {
        passes(&bench, "nine", &chained(&[(kind, 0); 9]), Outcome::TooManyHeaders);
    }
}

/// RFC 6946: an atomic fragment is a fragment that is the whole packet.
#[test]
fn atomic_fragments_are_treated_like_whole_packets() {
    need_root!();
    let bench = Bench::new(&service("web", WEB6, FIVE_TUPLE, 11..14));
    let (from, to) = addresses();
    let payload = [fragment(TCP, 0, false), ports(51_234, 443)].concat();
    sent(&bench, "alone", &to_gateway(&ipv6(from, to, FRAGMENT, &payload)), ("web", WEB6), &whole_sum(), 11..14);
    let behind = [extension(ROUTING, FRAGMENT, 0), payload].concat();
    sent(&bench, "chained", &to_gateway(&ipv6(from, to, ROUTING, &behind)), ("web", WEB6), &whole_sum(), 11..14);
}

#[test]
fn truncated_chains_are_malformed() {
    need_root!();
    let bench = Bench::new(&service("web", WEB6, FIVE_TUPLE, 11..14));
    let kinds = [(ROUTING, 2), (AH, 1), (DESTINATION_OPTIONS, 3)];
    let whole = chained(&kinds);
    for length in 14..whole.len() {
        passes(&bench, &format!("{length} bytes"), &whole[..length], Outcome::Malformed);
    }
    // The payload length ends within a header, but the frame is longer.
    let before_ports = chain(&kinds).1.len() - 32;
    for length in 0..before_ports + 4 {
        let mut frame = whole.clone();
        frame[18..20].copy_from_slice(&(length as u16).to_be_bytes());
        passes(&bench, &format!("payload length {length}"), &frame, Outcome::Malformed);
    }
}

#[test]
fn wrong_lengths_are_malformed() {
    need_root!();
    let bench = Bench::new(&service("web", WEB6, HTTPS, 11..12));
    let with = |length: u16| {
        let mut frame = to_service(WEB6, TCP, &ports(1, 443));
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        frame
    };
    let sent = Expect::Sent { service: "web", server: "fd00::b", mac: mac(11) };
    bench.check("as it is", &with(32), sent);
    bench.check("just enough for the ports", &with(4), sent);
    for length in [0, 3, 33, 65_535] {
        passes(&bench, &format!("payload length {length}"), &with(length), Outcome::Malformed);
    }
    let four = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443));
    passes(
        &bench,
        "version 4 in an IPv6 frame",
        &ethernet(GATEWAY, &[], 0x86dd, &[four, vec![0; 20]].concat()),
        Outcome::Malformed,
    );
}

/// Neighbour discovery and MLD belong to the host, even with a service for all protocols.
#[test]
fn neighbour_discovery_is_never_taken() {
    need_root!();
    let bench = Bench::new(&service("all", WEB6, "", 11..14));
    for kind in (130..=137).chain([143]) {
        let frame = to_service(WEB6, ICMPV6, &[kind, 0, 0, 0, 0, 0, 0, 0]);
        passes(&bench, &format!("ICMPv6 type {kind}"), &frame, Outcome::NoService);
    }
    for length in 0..8 {
        passes(
            &bench,
            "truncated ICMPv6",
            &to_service(WEB6, ICMPV6, &[128, 0, 0, 0, 0, 0, 0][..length.min(7)]),
            Outcome::Malformed,
        );
    }
    bench.apply(&service("web", WEB6, HTTPS, 11..14));
    passes(&bench, "no next header", &to_service(WEB6, 59, &[0; 8]), Outcome::NoService);
}
