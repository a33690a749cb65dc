//! Servers with their own VLAN: the outer tag is rewritten, added or removed.

use crate::*;

const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// A service with one server in this VLAN (0: untagged).
fn in_vlan(address: &str, what: &str, vlan: u16) -> String {
    service("web", address, what, 11..12) + &format!("vlan = {vlan}\n")
}

/// A frame from the router to `destination`.
fn frame(destination: [u8; 6], tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    ethernet(destination, tags, ether_type(packet), packet)
}

/// The same frame as the gateway forwards it.
fn forwarded(tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    sent_to(mac(11), &frame(GATEWAY, tags, packet))
}

/// The tags of a frame, those when it is sent to VLAN 20, and those when it is sent untagged. A tag is a type and 16
/// bits, of which the first four are priority and drop eligibility.
type Case = (&'static [(u16, u16)], &'static [(u16, u16)], &'static [(u16, u16)]);

const CASES: &[Case] = &[
    (&[], &[(VLAN, 20)], &[]),
    (&[(VLAN, 7)], &[(VLAN, 20)], &[]),
    (&[(VLAN, 20)], &[(VLAN, 20)], &[]),
    // Priority tags name no VLAN.
    (&[(VLAN, 0xa000)], &[(VLAN, 0xa014)], &[]),
    (&[(VLAN, 0xffff)], &[(VLAN, 0xf014)], &[]),
    (&[(VLAN, 0x1fff)], &[(VLAN, 0x1014)], &[]),
    (&[(SERVICE_VLAN, 0x5007)], &[(SERVICE_VLAN, 0x5014)], &[]),
    (&[(SERVICE_VLAN, 0xe007), (VLAN, 0x6008)], &[(SERVICE_VLAN, 0xe014), (VLAN, 0x6008)], &[(VLAN, 0x6008)]),
    (&[(VLAN, 7), (VLAN, 8)], &[(VLAN, 20), (VLAN, 8)], &[(VLAN, 8)]),
    (&[(VLAN, 7), (SERVICE_VLAN, 0xfff8)], &[(VLAN, 20), (SERVICE_VLAN, 0xfff8)], &[(SERVICE_VLAN, 0xfff8)]),
];

fn all_cases(bench: &Bench, address: &str, payload: &[u8]) {
    let packet = ip(clients(address)[0], address.parse().unwrap(), TCP, payload);
    let server = server(address, 11);
    for (vlan, pick) in [(20, 1), (0, 2)] {
        bench.apply(&in_vlan(address, HTTPS, vlan));
        for case in CASES {
            let tags = if pick == 1 { case.1 } else { case.2 };
            let out = forwarded(tags, &packet);
            let expect = Expect::Out { service: "web", server: &server, action: XDP_TX, frame: &out };
            bench.check(&format!("{:04x?} to VLAN {vlan}", case.0), &frame(GATEWAY, case.0, &packet), expect);
        }
    }
}

#[test]
fn tags_are_rewritten_added_and_removed() {
    need_root!();
    for address in [WEB, WEB6] {
        all_cases(&Bench::new(""), address, &ports(1, 443));
    }
}

/// With frames in one buffer and in three.
#[test]
fn the_program_for_several_buffers_rewrites_tags_as_well() {
    need_root!();
    if !support::several_buffers() {
        return;
    }
    for address in [WEB, WEB6] {
        let bench = Bench::jumbo("");
        all_cases(&bench, address, &ports(1, 443));
        all_cases(&bench, address, &[ports(1, 443), vec![0xcd; 8_900]].concat());
    }
}

/// The shortest frame to a service, and the same with a tag.
#[test]
fn the_shortest_frames_have_room_for_tags() {
    need_root!();
    let bench = Bench::new(&in_vlan(WEB, HTTPS, 20));
    let packet = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443)[..4]);
    let out = forwarded(&[(VLAN, 20)], &packet);
    let expect = Expect::Out { service: "web", server: "10.0.0.11", action: XDP_TX, frame: &out };
    bench.check("added", &frame(GATEWAY, &[], &packet), expect);
    bench.apply(&in_vlan(WEB, HTTPS, 0));
    let out = forwarded(&[], &packet);
    let expect = Expect::Out { service: "web", server: "10.0.0.11", action: XDP_TX, frame: &out };
    bench.check("removed", &frame(GATEWAY, &[(VLAN, 4_095)], &packet), expect);
}

/// A server without a VLAN gets the frame with the tags that it came with, also when other servers have one.
#[test]
fn each_server_has_its_own_vlan() {
    need_root!();
    for address in [WEB, WEB6] {
        let text = format!("{}vlan = 20\n", service("web", address, HTTPS, 11..13))
            + &{
                let (address, mac) = (server(address, 13), "02:00:00:00:01:0d");
                format!("[[service.server]]\naddress = \"{address}\"\nmac = \"{mac}\"\nvlan = 0\n")
            };
        let bench = Bench::new(&text);
        for client in clients(address) {
            let packet = ip(client, address.parse().unwrap(), TCP, &ports(1, 443));
            let number = chosen(&sum(client, address.parse().unwrap(), &[443]), &(11..14));
            let tags: &[_] = match number {
                11 => &[(VLAN, 0x6007)],
                12 => &[(VLAN, 0x6014)],
                _ => &[],
            };
            let out = sent_to(mac(number), &frame(GATEWAY, tags, &packet));
            let server = server(address, number);
            let expect = Expect::Out { service: "web", server: &server, action: XDP_TX, frame: &out };
            bench.check(&format!("from {client}"), &frame(GATEWAY, &[(VLAN, 0x6007)], &packet), expect);
        }
    }
}

#[test]
fn frames_that_pass_keep_their_tags() {
    need_root!();
    let bench = Bench::new(&in_vlan(WEB, HTTPS, 20));
    let udp = ip(clients(WEB)[0], WEB.parse().unwrap(), UDP, &ports(1, 443));
    let tcp = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443));
    for tags in [&[][..], &[(VLAN, 7)], &[(SERVICE_VLAN, 7), (VLAN, 8)]] {
        passes(&bench, "another protocol", &frame(GATEWAY, tags, &udp), Outcome::NoService);
        passes(&bench, "for another host", &frame([2, 0, 0, 0, 0, 9], tags, &tcp), Outcome::NotOurs);
        let whole = frame(GATEWAY, tags, &tcp);
        passes(&bench, "truncated", &whole[..whole.len() - 1], Outcome::Malformed);
    }
    passes(&bench, "three tags", &frame(GATEWAY, &[(VLAN, 1), (VLAN, 2), (VLAN, 3)], &tcp), Outcome::NotIp);
    bench.modlb.ok("server down web 10.0.0.11");
    bench.check("no server", &frame(GATEWAY, &[(VLAN, 7)], &tcp), Expect::Dropped(Outcome::NoServer));
    // If the server is this host, the tag stays as well.
    bench.apply(&in_vlan(WEB, HTTPS, 20).replace("10.0.0.11", "10.0.0.1"));
    bench.check("local", &frame(GATEWAY, &[(VLAN, 7)], &tcp), Expect::Local { service: "web", server: "10.0.0.1" });
    bench.apply(&in_vlan(WEB, HTTPS, 20));
    bench.modlb.ok("standby");
    passes(&bench, "standby", &frame(GATEWAY, &[(VLAN, 7)], &tcp), Outcome::Standby);
}

#[test]
fn errors_and_fragments_get_the_tag_as_well() {
    need_root!();
    let bench = Bench::new(&in_vlan(WEB, &format!("{HTTPS}\nfragments = \"balance\""), 20));
    let (client, web): (Ipv4Addr, Ipv4Addr) = ("198.51.100.7".parse().unwrap(), WEB.parse().unwrap());
    let quote = ip(web.into(), client.into(), TCP, &ports(443, 1));
    let error = ip(clients(WEB)[1], web.into(), ICMP, &[&[3, 4, 0, 0, 0, 0, 5, 0][..], &quote[..28]].concat());
    let mut header = ipv4_header(client, web, TCP, 32);
    header.fragment_offset = 185.try_into().unwrap();
    for (what, packet) in [("an error", error), ("a fragment", ipv4_with(&header, &ports(0, 0)))] {
        let out = forwarded(&[(VLAN, 20)], &packet);
        let expect = Expect::Out { service: "web", server: "10.0.0.11", action: XDP_TX, frame: &out };
        bench.check(what, &frame(GATEWAY, &[], &packet), expect);
    }
}

/// A frame without room for a tag is dropped unchanged, and counted for no server.
#[test]
fn a_frame_is_dropped_unchanged_if_it_has_no_room_for_a_tag() {
    need_root!();
    // The kernel reserves 40 of the 256 bytes before a frame.
    const METADATA: usize = 216;
    let bench = Bench::new(&in_vlan(WEB, HTTPS, 20));
    let packet = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443));
    let bytes = frame(GATEWAY, &[], &packet);
    let before = bench.counters();
    let Some((action, out)) = bench.run_with_metadata(&bytes, METADATA) else {
        eprintln!("SKIPPED: this kernel refuses metadata of {METADATA} bytes, so a frame always has room");
        return;
    };
    let mut wanted = before;
    let counter = wanted.get_mut("outcome unreachable").unwrap();
    (counter.packets, counter.bytes) = (counter.packets + 1, counter.bytes + bytes.len() as u64);
    assert_eq!(action, XDP_DROP);
    assert!(out.ends_with(&bytes), "{out:02x?}");
    assert_eq!(bench.counters(), wanted);
    // A frame that has a tag already needs no room.
    let bytes = frame(GATEWAY, &[(VLAN, 7)], &packet);
    let (action, out) = bench.run_with_metadata(&bytes, METADATA).unwrap();
    assert_eq!(action, XDP_TX);
    assert!(out.ends_with(&forwarded(&[(VLAN, 20)], &packet)), "{out:02x?}");
}
