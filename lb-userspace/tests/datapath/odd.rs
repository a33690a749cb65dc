//! Odd packets: short frames, jumbograms, unknown protocols, and first fragments that are too short or overlap.

use crate::*;

/// Frames shorter than Ethernet's 60 bytes are forwarded if their headers are complete.
#[test]
fn short_frames_are_forwarded() {
    need_root!();
    for (address, headers) in [(WEB, 34), (WEB6, 54)] {
        let bench = Bench::new(&service("web", address, HTTPS, 11..14));
        let sum = sum(clients(address)[0], address.parse().unwrap(), &[443]);
        let frame = to_service(address, TCP, &ports(1, 443)[..4]);
        assert_eq!(frame.len(), headers + 4);
        sent(&bench, "only the ports", &frame, ("web", address), &sum, 11..14);
        let padded = [&frame[..], &[0; 22]].concat();
        sent(&bench, "padded", &padded, ("web", address), &sum, 11..14);
        for length in 14..frame.len() {
            passes(&bench, &format!("{length} bytes"), &frame[..length], Outcome::Malformed);
        }
        bench.apply(&service("esp", address, "protocol = \"esp\"", 11..14));
        let portless = to_service(address, ESP, &[]);
        let sum = self::sum(clients(address)[0], address.parse().unwrap(), &[]);
        sent(&bench, "no payload at all", &portless, ("esp", address), &sum, 11..14);
    }
}

/// IEEE 802.3 frames have a length, of at most 1500, where others have an EtherType (802.3, 3.2.6). What follows is not
/// read.
#[test]
fn ieee_802_3_frames_pass() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    let packet = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443));
    for length in [0, packet.len() as u16, 46, 1_500, 1_535] {
        for tags in [&[][..], &[(0x8100, 7)], &[(0x88a8, 7), (0x8100, 8)]] {
            passes(&bench, &format!("length {length}"), &ethernet(GATEWAY, tags, length, &packet), Outcome::NotIp);
        }
        // IPv4 in SNAP (RFC 1042) passes as well.
        let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &packet].concat();
        passes(&bench, "SNAP", &ethernet(GATEWAY, &[], length, &snap), Outcome::NotIp);
    }
}

/// A jumbogram has a payload length of 0 and its real length in a hop-by-hop option (RFC 2675). No Ethernet frame can
/// hold one, so modlb goes by the payload length, by which nothing follows the header.
#[test]
fn jumbograms_are_malformed() {
    need_root!();
    let (from, to): (Ipv6Addr, Ipv6Addr) = ("2001:db8::7".parse().unwrap(), WEB6.parse().unwrap());
    let option = |length: u32| [&[TCP, 0, 0xc2, 4][..], &length.to_be_bytes()].concat();
    let of = |length: u32| {
        let mut frame = to_gateway(&ipv6(from, to, HOP_BY_HOP, &[option(length), ports(1, 443)].concat()));
        frame[18..20].fill(0);
        frame
    };
    for what in [HTTPS, "protocol = \"tcp\"", ""] {
        let bench = Bench::new(&service("web", WEB6, what, 11..14));
        for length in [0, 40, 65_535, 65_536, u32::MAX] {
            passes(&bench, &format!("jumbo payload {length}"), &of(length), Outcome::Malformed);
        }
        // With a payload length the option is not allowed (RFC 2675, 3), but modlb skips options.
        let with_both = to_gateway(&ipv6(from, to, HOP_BY_HOP, &[option(65_536), ports(1, 443)].concat()));
        sent(&bench, "both lengths", &with_both, ("web", WEB6), &sum(from.into(), to.into(), &[443]), 11..14);
    }
}

/// Without a payload there are no ports; packets of protocols without ports are complete.
#[test]
fn an_empty_payload_is_malformed_only_with_ports() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::new(&service("all", address, "formula = \"5-tuple\"", 11..14));
        for protocol in [TCP, UDP, SCTP, DCCP, UDP_LITE] {
            passes(&bench, &format!("protocol {protocol}"), &to_service(address, protocol, &[]), Outcome::Malformed);
        }
        for protocol in [ESP, 47, 59, 89, 253, 255] {
            let sum = sum(clients(address)[0], address.parse().unwrap(), &[protocol.into()]);
            sent(
                &bench,
                &format!("protocol {protocol}"),
                &to_service(address, protocol, &[]),
                ("all", address),
                &sum,
                11..14,
            );
        }
    }
}

/// Protocols without ports, and unknown ones, count 0 for them, whatever their first bytes are.
#[test]
fn protocols_without_ports_count_zero_for_them() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::new(&service("all", address, "formula = \"5-tuple\"", 11..14));
        // Except IPv6 extension headers and ICMP, which have their own tests.
        for protocol in (2..=255_u8).filter(|p| ![6, 17, 33, 43, 44, 51, 58, 60, 132, 136].contains(p)) {
            let frame = to_service(address, protocol, &ports(0xffff, 0xfffe));
            let sum = sum(clients(address)[0], address.parse().unwrap(), &[protocol.into()]);
            sent(&bench, &format!("protocol {protocol}"), &frame, ("all", address), &sum, 11..14);
        }
        for (text, protocol) in [("\"esp\"", ESP), ("\"gre\"", 47), ("253", 253)] {
            bench.apply(&service("one", address, &format!("protocol = {text}"), 21..24));
            let sum = sum(clients(address)[0], address.parse().unwrap(), &[]);
            let frame = to_service(address, protocol, &ports(1, 443));
            sent(&bench, text, &frame, ("one", address), &sum, 21..24);
            passes(&bench, "another", &to_service(address, 89, &ports(1, 443)), Outcome::NoService);
        }
    }
}

/// A first fragment that is too small for its ports (RFC 1858), and a later one that would overlap them: neither is
/// read as if it had ports, and all reach the same server.
#[test]
fn tiny_and_overlapping_fragments_reach_one_server() {
    need_root!();
    const BALANCE: &str = "protocol = \"tcp\"\nport = 443\nfragments = \"balance\"\nformula = \"5-tuple\"";
    for address in [WEB, WEB6] {
        let (client, to) = (clients(address)[0], address.parse().unwrap());
        let bench = Bench::new(&service("web", address, BALANCE, 11..14));
        let sum = sum(client, to, &[TCP.into()]);
        let fragment_of = |offset: u16, more: bool, payload: &[u8]| match (client, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = ipv4_header(from, to, TCP, payload.len());
                (header.more_fragments, header.fragment_offset) = (more, offset.try_into().unwrap());
                to_gateway(&ipv4_with(&header, payload))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                to_gateway(&ipv6(from, to, FRAGMENT, &[&fragment(TCP, offset, more), payload].concat()))
            }
            (from, to) => panic!("{from} → {to}"),
        };
        for length in 0..=8 {
            let first = fragment_of(0, true, &ports(1, 443)[..length]);
            sent(&bench, &format!("a first fragment of {length} bytes"), &first, ("web", address), &sum, 11..14);
            let other = fragment_of(0, true, &ports(9, 9)[..length]);
            sent(&bench, "with other ports", &other, ("web", address), &sum, 11..14);
        }
        // RFC 3128: offset 1 would overwrite the bytes after the ports.
        for (offset, more) in [(1, true), (1, false), (8_191, true)] {
            let overlapping = fragment_of(offset, more, &ports(1, 443));
            sent(&bench, &format!("a fragment at {offset}"), &overlapping, ("web", address), &sum, 11..14);
        }
        bench.apply(&service("web", address, HTTPS, 11..14));
        for length in 0..=8 {
            passes(&bench, "no service takes it", &fragment_of(0, true, &ports(1, 443)[..length]), Outcome::Fragment);
        }
    }
}
