//! Destination MACs, EtherTypes, and VLAN tags.

use crate::*;

const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const ARP: u16 = 0x0806;

#[test]
fn only_frames_to_own_and_virtual_router_macs_are_taken() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    let packet = ip(clients(WEB)[0], WEB.parse().unwrap(), TCP, &ports(1, 443));
    for (what, destination, ours) in [
        ("own", GATEWAY, true),
        ("VRRP for IPv4", [0, 0, 0x5e, 0, 1, 7], true),
        ("VRRP for IPv6", [0, 0, 0x5e, 0, 2, 255], true),
        ("beyond VRRP", [0, 0, 0x5e, 0, 3, 7], false),
        ("before VRRP", [0, 0, 0x5e, 0, 0, 7], false),
        ("multicast, otherwise VRRP", [1, 0, 0x5e, 0, 1, 7], false),
        ("broadcast", [0xff; 6], false),
        ("another host", [2, 0, 0, 0, 0, 2], false),
        ("all but the first byte", [6, 0, 0, 0, 0, 1], false),
        ("zero", [0; 6], false),
    ] {
        let expect = match ours {
            true => Expect::Sent { service: "web", server: "10.0.0.11", mac: mac(11) },
            false => Expect::Passed(Outcome::NotOurs),
        };
        bench.check(what, &ethernet(destination, &[], 0x0800, &packet), expect);
    }
}

#[test]
fn frames_without_ip_pass() {
    need_root!();
    let bench = Bench::new(&service("web", WEB, HTTPS, 11..12));
    for (what, frame, outcome) in [
        ("ARP", ethernet(GATEWAY, &[], ARP, &[0; 28]), Outcome::NotIp),
        ("ARP to all", ethernet([0xff; 6], &[], ARP, &[0; 28]), Outcome::NotOurs),
        ("LLDP", ethernet(GATEWAY, &[], 0x88cc, &[0; 46]), Outcome::NotIp),
        ("a length (IEEE 802.3)", ethernet(GATEWAY, &[], 46, &[0; 46]), Outcome::NotIp),
        ("nothing after the header", ethernet(GATEWAY, &[], 0x88cc, &[]), Outcome::NotIp),
    ] {
        passes(&bench, what, &frame, outcome);
    }
}

#[test]
fn up_to_two_vlan_tags_are_skipped() {
    need_root!();
    for address in [WEB, WEB6] {
        let bench = Bench::new(&service("web", address, HTTPS, 11..14));
        let (from, to) = (clients(address)[1], address.parse().unwrap());
        let packet = ip(from, to, TCP, &ports(1, 443));
        let frame = |tags: &[(u16, u16)]| ethernet(GATEWAY, tags, ether_type(&packet), &packet);
        for tags in [
            &[(VLAN, 7)][..],
            &[(SERVICE_VLAN, 7)],
            &[(SERVICE_VLAN, 7), (VLAN, 8)],
            &[(VLAN, 7), (VLAN, 8)],
            &[(VLAN, 0xffff), (SERVICE_VLAN, 0)],
        ] {
            sent(&bench, &format!("{tags:?}"), &frame(tags), ("web", address), &sum(from, to, &[443]), 11..14);
        }
        let three = frame(&[(SERVICE_VLAN, 1), (VLAN, 2), (VLAN, 3)]);
        passes(&bench, "three tags", &three, Outcome::NotIp);
        passes(&bench, "ARP in a VLAN", &ethernet(GATEWAY, &[(VLAN, 1)], ARP, &[0; 28]), Outcome::NotIp);
        passes(&bench, "a truncated tag", &ethernet(GATEWAY, &[], VLAN, &[0, 1]), Outcome::Malformed);
        passes(&bench, "nothing after a tag", &ethernet(GATEWAY, &[(VLAN, 1)], 0x0800, &[]), Outcome::Malformed);
    }
}
