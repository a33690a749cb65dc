//! Valid and invalid IPv4 headers.

use crate::*;

fn addresses() -> (Ipv4Addr, Ipv4Addr) {
    ("198.51.100.7".parse().unwrap(), WEB.parse().unwrap())
}

/// A valid frame after a change; `packet[0]` is the first byte of the IP header.
fn with(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let (from, to) = addresses();
    let mut packet = ipv4_with(&ipv4_header(from, to, TCP, 32), &ports(1, 443));
    change(&mut packet);
    to_gateway(&packet)
}

#[test]
fn fields_that_do_not_matter_are_not_checked() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    for (what, frame) in [
        ("unchanged", with(|_| ())),
        ("a bad checksum", with(|packet| packet[10] ^= 0xff)),
        ("TTL 0", with(|packet| packet[8] = 0)),
        ("don't fragment", with(|packet| packet[6] = 0x40)),
        ("the reserved flag", with(|packet| packet[6] = 0x80)),
        ("just enough for the ports", with(|packet| packet[3] = 24)),
        ("padding, as in short frames", [with(|_| ()), vec![0; 9]].concat()),
    ] {
        bench.check(what, &frame, Expect::Sent { service: "web", server: "10.0.0.11", mac: mac(11) });
    }
}

#[test]
fn wrong_versions_and_lengths_are_malformed() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    let six = ip("::1".parse().unwrap(), "::2".parse().unwrap(), TCP, &ports(1, 443));
    for (what, frame) in [
        ("version 5", with(|packet| packet[0] = 0x55)),
        ("version 6 in an IPv4 frame", ethernet(GATEWAY, &[], 0x0800, &six)),
        ("IHL 4", with(|packet| packet[0] = 0x44)),
        ("IHL 0", with(|packet| packet[0] = 0x40)),
        ("IHL beyond the packet", with(|packet| packet[0] = 0x4f)),
        ("total length less than the header", with(|packet| packet[3] = 19)),
        ("total length 0", with(|packet| packet[3] = 0)),
        ("total length beyond the frame", with(|packet| packet[3] = 53)),
        ("three bytes of ports", with(|packet| packet[3] = 23)),
        ("no ports", with(|packet| packet[3] = 20)),
    ] {
        passes(&bench, what, &frame, Outcome::Malformed);
    }
}

#[test]
fn options_are_skipped() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, &format!("{HTTPS}\nformula = \"5-tuple\""), 11..14));
    let (from, to) = addresses();
    for words in 0..=10 {
        let mut header = ipv4_header(from, to, TCP, 32);
        header.options = vec![1; words * 4].as_slice().try_into().unwrap();
        header.total_len = header.header_len() as u16 + 32;
        let frame = to_gateway(&ipv4_with(&header, &ports(51_234, 443)));
        let sum = sum(from.into(), to.into(), &[51_234, 443, TCP.into()]);
        sent(&bench, &format!("{words} words of options"), &frame, ("web", WEB), &sum, 11..14);
    }
}

/// In IPv4 the authentication header is a protocol like any other.
#[test]
fn the_authentication_header_is_a_protocol() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..14));
    let frame = to_service(WEB, AH, &[extension(AH, TCP, 0), ports(51_234, 443)].concat());
    passes(&bench, "no service of AH", &frame, Outcome::NoService);
    bench.apply(&service("ah", WEB, "protocol = \"ah\"", 21..24));
    let (from, to) = addresses();
    sent(&bench, "a service of AH", &frame, ("ah", WEB), &sum(from.into(), to.into(), &[]), 21..24);
}

#[test]
fn truncated_icmp_is_malformed() {
    need_root!();
    let bench = Bench::new(&service("all", WEB, "", 11..12));
    for length in 0..8 {
        passes(&bench, "ICMP", &to_service(WEB, ICMP, &[8, 0, 0, 0, 0, 0, 0][..length.min(7)]), Outcome::Malformed);
    }
}
