//! Frames of up to 9,000 bytes, in the program for several buffers.
//!
//! A test's frame has about 3,500 bytes in its first buffer, as on a veth.

use crate::*;

/// Padding behind a packet's headers, so that the frame has this length.
fn padded(address: &str, length: usize) -> Vec<u8> {
    let headers = if address.contains(':') { 54 } else { 34 };
    let mut payload = ports(51_234, 443);
    payload.resize(length - headers, 0xee);
    to_service(address, TCP, &payload)
}

#[test]
fn lengths_up_to_nine_thousand() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::jumbo(&service("web", address, HTTPS, 11..14));
        let sum = sum(clients(address)[0], address.parse().unwrap(), &[443]);
        for length in [66, 1_514, 3_505, 3_506, 3_520, 3_521, 4_095, 4_096, 4_097, 7_616, 9_000, 9_014, 9_018] {
            let frame = padded(address, length);
            assert_eq!(frame.len(), length);
            sent(&bench, &format!("{length} bytes"), &frame, ("web", address), &sum, 11..14);
            let lying = frame[..length - 1].to_vec();
            passes(&bench, &format!("{length} bytes, the last missing"), &lying, Outcome::Malformed);
        }
        let mut other = padded(address, 9_014);
        other[0] = 6;
        passes(&bench, "another host's", &other, Outcome::NotOurs);
    }
}

/// Both programs say the same of everything that fits one buffer; a few of each kind here, the oracle has more.
#[test]
fn small_frames_as_ever() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::jumbo(&service("web", address, HTTPS, 11..14));
        passes(&bench, "no service", &to_service(address, UDP, &ports(1, 443)), Outcome::NoService);
        passes(&bench, "ports cut off", &to_service(address, TCP, &[0; 3]), Outcome::Malformed);
        bench.modlb.ok(&format!("server down web {}", server(address, 11)));
        bench.modlb.ok(&format!("server down web {}", server(address, 12)));
        bench.modlb.ok(&format!("server down web {}", server(address, 13)));
        bench.check("no server", &padded(address, 9_014), Expect::Dropped(Outcome::NoServer));
        bench.modlb.ok("standby");
        passes(&bench, "standby", &padded(address, 9_014), Outcome::Standby);
    }
}

/// Options of 2,048 bytes each, and TCP behind them.
fn long_chain(headers: usize) -> Vec<u8> {
    let (from, to) = (clients(WEB6)[0], WEB6.parse().unwrap());
    let (next, payload) = (0..headers).fold((TCP, ports(51_234, 443)), |(next, rest), _| {
        (DESTINATION_OPTIONS, [extension(DESTINATION_OPTIONS, next, 255), rest].concat())
    });
    let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) else { panic!("IPv4") };
    to_gateway(&ipv6(from, to, next, &payload))
}

/// Headers in the first buffer are read, whatever there is behind; what lies beyond it counts as cut off.
#[test]
fn headers_beyond_the_first_buffer() {
    need_root!();
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

/// The same for the packet that an ICMP error quotes: the error itself is in order, so it passes as nobody's.
#[test]
fn quotes_beyond_the_first_buffer() {
    need_root!();
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
