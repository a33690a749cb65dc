//! Servers behind another interface: packets are redirected by the map of devices.

use aya::maps::{HashMap, Map, MapData};

use crate::*;

/// The MAC of the second interface.
const SECOND: [u8; 6] = [2, 0, 0, 0, 2, 1];

/// A service with a server behind each interface, the second interface's first.
fn two_servers(address: &str, vlan: &str) -> String {
    let behind_second = if address.contains(':') { "fd01::b" } else { "10.1.0.11" };
    let behind_first = server(address, 12);
    format!(
        "[[service]]\nname = \"web\"\naddress = \"{address}\"\n{HTTPS}\n\
         [[service.server]]\naddress = \"{behind_second}\"\nmac = \"02:00:00:00:01:0b\"\n{vlan}\
         [[service.server]]\naddress = \"{behind_first}\"\nmac = \"02:00:00:00:01:0c\"\n"
    )
}

/// The frame as the second interface sends it.
fn sent_by_second(frame: &[u8]) -> Vec<u8> {
    [&mac(11)[..], &SECOND, &frame[12..]].concat()
}

fn up(bench: &Bench) {
    // A route needs its interface up, and a server an interface with a carrier. The peers send nothing by themselves.
    for interface in ["eth0", "eth1"] {
        bench.gateway.run("sysctl", &format!("-qw net.ipv6.conf.peer-{interface}.disable_ipv6=1"));
        // Without it a veth takes no frames that XDP redirects to its other end.
        bench.gateway.run("ethtool", &format!("-K peer-{interface} gro on"));
        bench.gateway.ip(&format!("link set peer-{interface} up"));
        bench.gateway.ip(&format!("link set {interface} up"));
    }
}

#[test]
fn servers_behind_both_interfaces_are_reached() {
    need_root!();
    let modes = [(1_500, "generic"), (1_500, "native"), (9_000, "native")];
    for (mtu, mode) in modes.into_iter().filter(|(mtu, _)| *mtu == 1_500 || support::several_buffers()) {
        let bench = Bench::two(mtu, mode, "");
        up(&bench);
        for (address, vlan, tags) in [
            (WEB, "", None),
            (WEB6, "", None),
            (WEB, "vlan = 20\n", Some((0x8100, 20))),
            (WEB6, "vlan = 20\n", Some((0x8100, 20))),
        ] {
            bench.apply(&two_servers(address, vlan));
            for client in clients(address) {
                let packet = ip(client, address.parse().unwrap(), TCP, &ports(1, 443));
                let bytes = to_gateway(&packet);
                let first = remainder(&sum(client, address.parse().unwrap(), &[443]), 2) == 0;
                let out = match first {
                    true => sent_by_second(&ethernet(GATEWAY, tags.as_slice(), ether_type(&packet), &packet)),
                    false => sent_to(mac(12), &bytes),
                };
                let redirected = if address == WEB { "10.1.0.11".to_owned() } else { "fd01::b".to_owned() };
                let expect = Expect::Out {
                    service: "web",
                    server: &if first { redirected } else { server(address, 12) },
                    action: if first { XDP_REDIRECT } else { XDP_TX },
                    frame: &out,
                };
                bench.check(&format!("from {client}, {mode}, {mtu}, {vlan}"), &bytes, expect);
            }
        }
    }
}

/// A packet that cannot be redirected is dropped unchanged, as `unreachable`.
#[test]
fn a_packet_is_dropped_unchanged_if_its_device_is_missing() {
    need_root!();
    let bench = Bench::two(1_500, "native", "");
    up(&bench);
    bench.apply(&two_servers(WEB, "vlan = 20\n"));
    let client = clients(WEB).into_iter().find(|client| remainder(&sum(*client, WEB.parse().unwrap(), &[443]), 2) == 0);
    let bytes = to_gateway(&ip(client.unwrap(), WEB.parse().unwrap(), TCP, &ports(1, 443)));
    let mut devices = devices(&bench);
    let keys: Vec<u32> = devices.keys().map(Result::unwrap).collect();
    assert_eq!(keys.len(), 2);
    for key in &keys {
        devices.remove(key).unwrap();
    }
    bench.check("no device", &bytes, Expect::Dropped(Outcome::Unreachable));
    // `attach` restores them.
    bench.modlb.ok("attach");
    let out = sent_by_second(&[&bytes[..12], &[0x81, 0, 0, 20], &bytes[12..]].concat());
    let expect = Expect::Out { service: "web", server: "10.1.0.11", action: XDP_REDIRECT, frame: &out };
    bench.check("again", &bytes, expect);
}

#[test]
fn devices_come_and_go_with_interfaces() {
    need_root!();
    let bench = Bench::two(1_500, "native", &service("web", WEB, HTTPS, 11..13));
    let indices = || {
        let status = bench.modlb.json("status");
        let mut indices: Vec<_> = status["interfaces"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["index"].as_u64().unwrap() as u32)
            .collect();
        indices.sort_unstable();
        indices
    };
    let keys = || {
        let mut keys: Vec<u32> = devices(&bench).keys().map(Result::unwrap).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!((keys().len(), keys()), (2, indices()));
    bench.modlb.ok("detach eth1");
    assert_eq!((keys().len(), keys()), (1, indices()));
    bench.modlb.ok("attach eth1");
    assert_eq!((keys().len(), keys()), (2, indices()));
    bench.gateway.ip("link del eth1");
    assert_eq!(keys().len(), 1);
    bench.modlb.ok("attach eth0");
    assert_eq!((keys().len(), keys()), (1, indices()));
}

/// Values have 4 bytes, without room for a program: kernels before 5.15 would refuse the map in generic mode.
fn devices(bench: &Bench) -> HashMap<MapData, u32, u32> {
    let data = MapData::from_pin(bench.modlb.pins().join("DEVICES")).unwrap();
    HashMap::try_from(Map::HashMap(data)).unwrap()
}
