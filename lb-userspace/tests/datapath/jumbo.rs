//! Frames of up to 9,000 bytes, in the program for several buffers.
//!
//! In test runs the first buffer holds about 3,500 bytes of the frame, as on a veth.

use crate::*;

/// A frame that is padded to this length behind its headers.
fn padded(address: &str, length: usize) -> Vec<u8> {
    let headers = if address.contains(':') { 54 } else { 34 };
    let mut payload = ports(51_234, 443);
    payload.resize(length - headers, 0xee);
    to_service(address, TCP, &payload)
}

#[test]
fn frames_of_up_to_nine_thousand_bytes_are_forwarded() {
    need_root!();
    if !support::several_buffers() {
        return;
    }
    for address in [WEB, WEB6] {
        let bench = Bench::jumbo(&service("web", address, HTTPS, 11..14));
        let sum = sum(clients(address)[0], address.parse().unwrap(), &[443]);
        for length in [66, 1_514, 3_505, 3_506, 3_520, 3_521, 4_095, 4_096, 4_097, 7_616, 9_000, 9_014, 9_018] {
            let frame = padded(address, length);
            assert_eq!(frame.len(), length);
            sent(&bench, &format!("{length} bytes"), &frame, ("web", address), &sum, 11..14);
            let truncated = frame[..length - 1].to_vec();
            passes(&bench, &format!("{length} bytes, the last missing"), &truncated, Outcome::Malformed);
        }
        let mut other = padded(address, 9_014);
        other[0] = 6;
        passes(&bench, "for another host", &other, Outcome::NotOurs);
    }
}

/// Both programs treat frames in one buffer alike: a few of each kind here, more in the oracle's tests.
#[test]
fn small_frames_are_treated_as_by_the_other_program() {
    need_root!();
    if !support::several_buffers() {
        return without_programs_for_several_buffers();
    }
    for address in [WEB, WEB6] {
        let bench = Bench::jumbo(&service("web", address, HTTPS, 11..14));
        passes(&bench, "no service", &to_service(address, UDP, &ports(1, 443)), Outcome::NoService);
        passes(&bench, "truncated ports", &to_service(address, TCP, &[0; 3]), Outcome::Malformed);
        bench.modlb.ok(&format!("server down web {}", server(address, 11)));
        bench.modlb.ok(&format!("server down web {}", server(address, 12)));
        bench.modlb.ok(&format!("server down web {}", server(address, 13)));
        bench.check("no server", &padded(address, 9_014), Expect::Dropped(Outcome::NoServer));
        bench.modlb.ok("standby");
        passes(&bench, "standby", &padded(address, 9_014), Outcome::Standby);
    }
}

/// Old kernels know no such program. `attach` says so, and leaves nothing behind.
fn without_programs_for_several_buffers() {
    let gateway = support::namespace::Namespace::new("bench");
    gateway.ip("link add eth0 mtu 9000 type veth peer name peer-eth0 mtu 9000");
    for interface in ["eth0", "peer-eth0"] {
        gateway.ip(&format!("link set {interface} up"));
    }
    let modlb = support::modlb::Modlb::new(&gateway);
    let error = modlb.fails("attach eth0 --mode native");
    assert!(error.contains("MTU of 9000") && error.contains("since Linux 5.18"), "{error}");
    assert!(!modlb.pins().exists());
}

/// Extension headers of 2,048 bytes each, and TCP behind them.
fn long_chain(headers: usize) -> Vec<u8> {
    let (from, to) = (clients(WEB6)[0], WEB6.parse().unwrap());
    let (next, payload) = (0..headers).fold((TCP, ports(51_234, 443)), |(next, rest), _| {
        (DESTINATION_OPTIONS, [extension(DESTINATION_OPTIONS, next, 255), rest].concat())
    });
    let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) else { panic!("IPv4") };
    to_gateway(&ipv6(from, to, next, &payload))
}

/// Headers in the first buffer are read, whatever follows; headers beyond it count as missing.
#[test]
fn headers_beyond_the_first_buffer_count_as_missing() {
    need_root!();
    if !support::several_buffers() {
        return;
    }
    let bench = Bench::jumbo(&service("web", WEB6, HTTPS, 11..14));
    let sum = sum(clients(WEB6)[0], WEB6.parse().unwrap(), &[443]);
    sent(&bench, "one long header", &long_chain(1), ("web", WEB6), &sum, 11..14);
    let mut with_payload = long_chain(1);
    let length = with_payload.len() - 54 + 6_000;
    with_payload.resize(with_payload.len() + 6_000, 0);
    with_payload[18..20].copy_from_slice(&(length as u16).to_be_bytes());
    sent(&bench, "one long header and data", &with_payload, ("web", WEB6), &sum, 11..14);
    for headers in 2..=4 {
        passes(&bench, &format!("{headers} long headers"), &long_chain(headers), Outcome::Malformed);
    }
}

/// The same for the packet that an ICMP error quotes: the error itself is valid, so it passes as `no_service`.
#[test]
fn quotes_beyond_the_first_buffer_match_no_service() {
    need_root!();
    if !support::several_buffers() {
        return;
    }
    let bench = Bench::jumbo(&service("web", WEB6, HTTPS, 11..14));
    let (client, web): (Ipv6Addr, Ipv6Addr) = ("2001:db8::7".parse().unwrap(), WEB6.parse().unwrap());
    let error = |headers: usize| {
        let (next, payload) = (0..headers).fold((TCP, ports(443, 51_234)), |(next, rest), _| {
            (DESTINATION_OPTIONS, [extension(DESTINATION_OPTIONS, next, 255), rest].concat())
        });
        let quote = ipv6(web, client, next, &payload);
        to_gateway(&ipv6(
            "2001:db8::1".parse().unwrap(),
            web,
            ICMPV6,
            &[&[2, 0, 0, 0, 0, 0, 5, 0][..], &quote].concat(),
        ))
    };
    let sum = sum(client.into(), web.into(), &[443]);
    sent(&bench, "within", &error(1), ("web", WEB6), &sum, 11..14);
    passes(&bench, "beyond", &error(2), Outcome::NoService);
}
