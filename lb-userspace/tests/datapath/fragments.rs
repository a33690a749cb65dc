//! Fragments, and truncated packets.

use crate::*;

/// Offsets in units of 8 bytes, and whether more fragments follow: the first, a middle one, the last, and the farthest.
const FRAGMENTS: [(u16, bool); 4] = [(0, true), (4, true), (8, false), (8_191, false)];

fn fragment_of(service: &str, protocol: u8, (offset, more): (u16, bool)) -> Vec<u8> {
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
    for at in FRAGMENTS {
        passes(bench, &format!("{what}: {at:?}"), &fragment_of(service, protocol, at), outcome);
    }
}

/// All fragments reach the server that the sum of the addresses and `rest` names.
fn all_meet(bench: &Bench, what: &str, service: (&str, &str), protocol: u8, rest: &[u16], servers: Range<u8>) {
    let sum = sum(clients(service.1)[0], service.1.parse().unwrap(), rest);
    for at in FRAGMENTS {
        sent(bench, &format!("{what}: {at:?}"), &fragment_of(service.1, protocol, at), service, &sum, servers.clone());
    }
}

/// Fragments pass unless a service balances them.
#[test]
fn fragments_go_to_services_that_take_them() {
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
        all_meet(&bench, "any protocol, besides a port", ("all", address), TCP, &[TCP.into()], 21..26);
        all_meet(&bench, "any protocol", ("all", address), UDP, &[UDP.into()], 21..26);
    }
}

/// A truncated frame is never forwarded, nor read beyond its end.
#[test]
fn frames_truncated_at_any_byte_pass() {
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
