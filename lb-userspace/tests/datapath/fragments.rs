//! Pieces of packets, and packets cut off.

use crate::*;

/// Offsets in units of 8 bytes, and whether more follow: a first, a middle, a last one, and the farthest.
const PIECES: [(u16, bool); 4] = [(0, true), (4, true), (8, false), (8_191, false)];

fn piece(service: &str, protocol: u8, (offset, more): (u16, bool)) -> Vec<u8> {
    let payload = ports(1, 443);
    let packet = match (clients(service)[0], service.parse().unwrap()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = ipv4_header(from, to, protocol, payload.len());
            header.more_fragments = more;
            header.fragment_offset = offset.try_into().unwrap();
            ipv4_with(&header, &payload)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            ipv6(from, to, FRAGMENT, &[fragment(protocol, offset, more), payload].concat())
        }
        (from, to) => unreachable!("{from} → {to}"),
    };
    to_gateway(&packet)
}

fn all_pass(bench: &Bench, what: &str, service: &str, protocol: u8, outcome: Outcome) {
    for at in PIECES {
        passes(bench, &format!("{what}: {at:?}"), &piece(service, protocol, at), outcome);
    }
}

/// All pieces meet at the server that the addresses, and the rest, name.
fn all_meet(bench: &Bench, what: &str, service: (&str, &str), protocol: u8, rest: &[u16], servers: Range<u8>) {
    let sum = sum(clients(service.1)[0], service.1.parse().unwrap(), rest);
    for at in PIECES {
        sent(bench, &format!("{what}: {at:?}"), &piece(service.1, protocol, at), service, &sum, servers.clone());
    }
}

/// Pieces pass unless a service takes them; which one does, the configuration says.
#[test]
fn who_takes_fragments() {
    need_root!();
    for address in [WEB, WEB6] {
        let web = service("web", address, HTTPS, 11..14);
        let bench = Bench::new(&web);
        all_pass(&bench, "a service with a port", address, TCP, Outcome::Fragment);
        all_pass(&bench, "no service of the protocol", address, UDP, Outcome::NoService);

        bench.apply(&web.replace("port = 443", "port = 443\nfragments = \"balance\"\nformula = \"5-tuple\""));
        all_meet(&bench, "balanced", ("web", address), TCP, &[TCP.into()], 11..14);

        let tcp = service("tcp", address, "protocol = \"tcp\"", 21..23);
        bench.apply(&[web.clone(), tcp].concat());
        all_meet(&bench, "portless", ("tcp", address), TCP, &[], 21..23);

        bench.apply(&[web, service("all", address, "formula = \"5-tuple\"", 21..26)].concat());
        all_meet(&bench, "any protocol, beside a port", ("all", address), TCP, &[TCP.into()], 21..26);
        all_meet(&bench, "any protocol", ("all", address), UDP, &[UDP.into()], 21..26);
    }
}

/// A frame cut off at any place is never sent, nor read beyond its end.
#[test]
fn truncated_at_every_byte() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::new(&service("web", address, HTTPS, 11..12));
        let packet = ip(clients(address)[0], address.parse().unwrap(), TCP, &ports(1, 443));
        let whole = ethernet(GATEWAY, &[(0x8100, 7)], ether_type(&packet), &packet);
        for length in 14..whole.len() {
            passes(&bench, &format!("{length} bytes"), &whole[..length], Outcome::Malformed);
        }
    }
}
