//! Prefix services: the longest matching prefix with a service for the packet, and addresses that none takes.

use crate::*;

/// A frame to any address, from the first client of its family.
fn frame_to(to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    to_gateway(&ip(clients(to)[0], to.parse().unwrap(), protocol, payload))
}

fn sum_to(to: &str, rest: &[u16]) -> BigUint {
    sum(clients(to)[0], to.parse().unwrap(), rest)
}

fn reaches(bench: &Bench, to: &str, name: &str, servers: Range<u8>) {
    let frame = frame_to(to, TCP, &ports(7, 443));
    sent(bench, to, &frame, (name, to), &sum_to(to, &[443]), servers);
}

#[test]
fn prefixes_of_every_length_match() {
    need_root!();
    for (address, bits) in [("203.0.113.10", 32_u8), ("2001:db8:f00::10", 128)] {
        let to: IpAddr = address.parse().unwrap();
        let net = |length| ipnet::IpNet::new(to, length).unwrap().trunc();
        let mut bench = None;
        for length in (0..bits).step_by(7).chain([bits - 1]) {
            let text = service("net", &net(length).to_string(), HTTPS, 11..14);
            let bench = bench.get_or_insert_with(|| Bench::new(""));
            bench.apply(&text);
            reaches(bench, address, "net", 11..14);
            if length > 0 {
                // The neighbour that differs in the prefix's last bit.
                let flip = |width: u8, value: u128| value ^ (1_u128 << (width - length));
                let other: IpAddr = match to {
                    IpAddr::V4(v4) => Ipv4Addr::from_bits(flip(32, v4.to_bits().into()) as u32).into(),
                    IpAddr::V6(v6) => Ipv6Addr::from_bits(flip(128, v6.to_bits())).into(),
                };
                let other = other.to_string();
                passes(
                    bench,
                    &format!("{other} is not in {}", net(length)),
                    &frame_to(&other, TCP, &ports(7, 443)),
                    Outcome::NoService,
                );
            }
        }
    }
}

#[test]
fn the_longest_matching_prefix_wins() {
    need_root!();
    let bench = Bench::new(
        &[
            service("world", "0.0.0.0/0", "", 31..36),
            service("net", "203.0.113.0/24", HTTPS, 21..25),
            service("part", "203.0.113.0/28", "protocol = \"udp\"", 41..44),
            service("web", WEB, HTTPS, 11..14),
            service("world6", "::/0", "", 31..36),
            service("net6", "2001:db8:f00::/48", HTTPS, 21..25),
            service("part6", "2001:db8:f00::/64", "protocol = \"udp\"", 41..44),
            service("web6", WEB6, HTTPS, 11..14),
        ]
        .concat(),
    );
    for (web, near, far, suffix) in [(WEB, "203.0.113.11", "8.8.8.8", ""), (WEB6, "2001:db8:f00::11", "2600::1", "6")] {
        let name = |name: &str| format!("{name}{suffix}");
        reaches(&bench, web, &name("web"), 11..14);
        reaches(&bench, near, &name("net"), 21..25);
        reaches(&bench, far, &name("world"), 31..36);
        // A packet that a prefix has no service for falls through to the next shorter one.
        let udp = |to: &str, service: &str, servers| {
            sent(&bench, to, &frame_to(to, UDP, &ports(7, 53)), (&name(service), to), &sum_to(to, &[53]), servers);
        };
        udp(web, "part", 41..44);
        udp(near, "part", 41..44);
        udp(far, "world", 31..36);
        let esp = frame_to(near, ESP, &[0; 8]);
        sent(&bench, "another protocol", &esp, (&name("world"), near), &sum_to(near, &[]), 31..36);
    }
}

#[test]
fn special_addresses_match_no_prefix() {
    need_root!();
    let bench =
        Bench::new(&[service("world", "0.0.0.0/0", "", 11..14), service("world6", "::/0", "", 11..14)].concat());
    for to in [
        "0.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.1.2",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        // The gateway's own address, and its network's broadcast address.
        "10.0.0.1",
        "10.0.0.255",
        "fd00::1",
        "::",
        "::1",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "ffff::",
    ] {
        passes(&bench, to, &frame_to(to, TCP, &ports(7, 443)), Outcome::NoService);
    }
    for to in
        ["0.0.0.1", "126.0.0.1", "128.0.0.1", "169.253.1.1", "223.255.255.255", "240.0.0.1", "10.0.0.2", "10.0.0.254"]
    {
        reaches(&bench, to, "world", 11..14);
    }
    for to in ["::2", "fd00::", "fd00::2", "fec0::1", "fe7f::1", "feff::1"] {
        reaches(&bench, to, "world6", 11..14);
    }
    let discovery = frame_to("2600::1", ICMPV6, &[135, 0, 0, 0, 0, 0, 0, 0]);
    passes(&bench, "neighbour discovery", &discovery, Outcome::NoService);
    // An exact service takes even such an address.
    bench.apply(&[service("world", "0.0.0.0/0", "", 11..14), service("own", "10.0.0.1", "", 21..24)].concat());
    reaches(&bench, "10.0.0.1", "own", 21..24);
}

#[test]
fn prefixes_with_the_same_bits_and_other_lengths_are_separate_services() {
    need_root!();
    let nets: Vec<_> = (8..32_u8)
        .map(|length| service(&format!("n{length}"), &format!("64.0.0.0/{length}"), HTTPS, 11..12 + length))
        .collect();
    let bench = Bench::new(&nets.concat());
    for length in 8..31_u8 {
        // In this prefix, but in no longer one.
        let to = Ipv4Addr::from_bits(0x4000_0000 | (1 << (31 - length))).to_string();
        reaches(&bench, &to, &format!("n{length}"), 11..12 + length);
    }
    reaches(&bench, "64.0.0.1", "n31", 11..43);
}

#[test]
fn fragments_and_errors_match_prefixes() {
    need_root!();
    let net = "203.0.113.0/24";
    let bench = Bench::new(&service("net", net, HTTPS, 11..14));
    let (from, to): (Ipv4Addr, Ipv4Addr) = ("198.51.100.7".parse().unwrap(), WEB.parse().unwrap());
    let mut header = ipv4_header(from, to, TCP, 32);
    header.more_fragments = true;
    let fragment = to_gateway(&ipv4_with(&header, &ports(7, 443)));
    passes(&bench, "a fragment", &fragment, Outcome::Fragment);
    bench.apply(&service("net", net, &format!("{HTTPS}\nfragments = \"balance\""), 11..14));
    sent(&bench, "a fragment, balanced", &fragment, ("net", net), &sum(from.into(), to.into(), &[]), 11..14);
    let quote = ip(to.into(), from.into(), TCP, &ports(443, 7));
    let error = ip("192.0.2.1".parse().unwrap(), to.into(), ICMP, &[&[3, 4, 0, 0, 0, 0, 0, 0][..], &quote].concat());
    sent(&bench, "an error", &to_gateway(&error), ("net", net), &sum(from.into(), to.into(), &[443]), 11..14);
}
