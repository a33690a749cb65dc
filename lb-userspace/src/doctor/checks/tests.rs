//! Faults that no namespace can have, planted as facts.

use std::collections::BTreeSet;

use lb_common::mac::Mac;

use super::*;
use crate::{
    config::model::{Config, Role},
    doctor::{
        facts::{Controller, Namespace, Owner, Peer, PeerFacts, Program, ServerFacts},
        finding::Level,
    },
    net::{XdpMode, details::Address, ethtool::Channels, features::XdpFeatures},
};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn context() -> CommandContext {
    CommandContext { netns: None, instance: "default".into() }
}

fn host() -> HostFacts {
    HostFacts {
        release: "6.18.44".into(),
        btf: true,
        bpffs: true,
        own_mounts: None,
        capabilities: u64::MAX,
        jit: Some(1),
        harden: Some(0),
        cpus: 8,
    }
}

/// A card on which all is well.
fn nic() -> Nic {
    Nic {
        name: "eth0".into(),
        up: true,
        carrier: true,
        mac: Some(MAC),
        mtu: 1_500,
        driver: Some("ice".into()),
        xdp: Some(XdpFeatures(0x2f)),
        channels: Some(Channels { combined: 8, max_combined: 64, ..Channels::default() }),
        ..Nic::default()
    }
}

fn generic() -> Option<Program> {
    Some(Program { mode: XdpMode::Generic, id: 7, name: "balancer".into(), owner: Owner::Ours })
}

/// The complaints: check, level, and what to run or do.
fn complaints(host: &HostFacts, nics: &[Nic], site: &Site) -> Vec<(&'static str, Level, String)> {
    let running = Instance::Running { standby: false, unconfirmed: None, differences: Vec::new() };
    let findings = all(host, &running, nics, site, &context());
    let bad = findings.into_iter().filter(|finding| finding.level != Level::Ok);
    bad.map(|finding| (finding.check, finding.level, finding.cure.unwrap())).collect()
}

#[track_caller]
fn complains(host: &HostFacts, nic: Nic, site: &Site, check: &str, level: Level, cure: &str) {
    let found = complaints(host, &[nic], site);
    assert!(matches!(&found[..], [(is, of, how)] if *is == check && *of == level && how.contains(cure)), "{found:?}");
}

#[test]
fn a_healthy_host_has_no_findings() {
    assert_eq!(complaints(&host(), &[nic()], &Site::default()), []);
    // The oldest that was tested.
    let old = HostFacts { release: "5.10.0-32-amd64".into(), ..host() };
    assert_eq!(complaints(&old, &[nic()], &Site::default()), []);
}

#[test]
fn faults_of_the_host_are_found() {
    let (site, warning, failure) = (Site::default(), Level::Warning, Level::Failure);
    for (host, check, level, cure) in [
        (HostFacts { release: "5.4.0-30-amd64".into(), ..host() }, "kernel", failure, "newer kernel"),
        (HostFacts { btf: false, ..host() }, "btf", warning, "CONFIG_DEBUG_INFO_BTF"),
        (HostFacts { bpffs: false, ..host() }, "bpffs", warning, "mount -t bpf -o mode=0700 bpf /sys/fs/bpf"),
        (HostFacts { own_mounts: Some("use --netns".into()), ..host() }, "bpffs", failure, "use --netns"),
        (HostFacts { capabilities: 1 << 39 | 1 << 38, ..host() }, "capabilities", failure, "as root"),
        (HostFacts { jit: Some(0), ..host() }, "jit", warning, "sysctl -w net.core.bpf_jit_enable=1 && modlb upgrade"),
        (HostFacts { harden: Some(2), ..host() }, "jit", warning, "sysctl -w net.core.bpf_jit_harden=1"),
    ] {
        complains(&host, nic(), &site, check, level, cure);
    }
    // CAP_SYS_ADMIN stands for what came after it, not for CAP_NET_ADMIN.
    assert_eq!(complaints(&HostFacts { capabilities: 1 << 21 | 1 << 12, ..host() }, &[nic()], &site), []);
    complains(&HostFacts { capabilities: 1 << 21, ..host() }, nic(), &site, "capabilities", failure, "as root");
}

#[test]
fn a_card_that_merges_packets_is_found() {
    let mut merging = nic();
    merging.features.insert("rx-lro".into(), true);
    merging.features.insert("rx-gro-hw".into(), true);
    merging.features.insert("rx-gro".into(), true);
    let cure = "ethtool -K eth0 lro off rx-gro-hw off";
    complains(&host(), merging, &Site::default(), "merging", Level::Failure, cure);
    // In the driver, what the network stack merges is merged later.
    let mut native = nic();
    native.features.insert("rx-gro".into(), true);
    assert_eq!(complaints(&host(), &[native], &Site::default()), []);
}

#[test]
fn a_card_that_strips_tags_is_found() {
    let mut tags = nic();
    tags.features.insert("rx-vlan-hw-parse".into(), true);
    assert_eq!(complaints(&host(), &[tags.clone()], &Site::default()), [], "nobody minds");
    tags.vlans.push("eth0.20".into());
    complains(&host(), tags.clone(), &Site::default(), "tags", Level::Warning, "ethtool -K eth0 rxvlan off");
    tags.features.insert("rx-vlan-hw-parse".into(), false);
    assert_eq!(complaints(&host(), &[tags], &Site::default()), []);
}

#[test]
fn membership_in_a_bridge_or_bond_is_found() {
    let of = |kind: &str, mac| Nic {
        controller: Some(Controller { name: "up0".into(), kind: kind.into(), mac: Some(mac) }),
        ..nic()
    };
    for (nic, level) in [
        (of("bond", MAC), Level::Failure),
        (of("team", MAC), Level::Failure),
        (of("bridge", MAC), Level::Warning),
        (of("bridge", Mac([2, 0, 0, 0, 0, 9])), Level::Failure),
    ] {
        complains(&host(), nic, &Site::default(), "membership", level, "ip link set dev eth0 nomaster");
    }
}

#[test]
fn drivers_without_native_mode_are_found() {
    let site = Site::default();
    complains(&host(), Nic { xdp: Some(XdpFeatures(0)), ..nic() }, &site, "mode", Level::Warning, "whose driver can");
    let attached = Nic { attached: true, program: generic(), ..nic() };
    let cure = "(umask 077; modlb export > /run/modlb-default.toml) && modlb detach eth0 && modlb attach eth0 --config";
    complains(&host(), attached, &site, "mode", Level::Warning, cure);
    // Where the kernel is too old to know, its name speaks for a driver, and silence against none.
    for driver in ["veth", "no-such"] {
        assert_eq!(complaints(&host(), &[Nic { xdp: None, driver: Some(driver.into()), ..nic() }], &site), []);
    }
}

#[test]
fn frames_beyond_one_buffer_are_found() {
    let (site, jumbo) = (Site::default(), Nic { mtu: 9_000, ..nic() });
    assert_eq!(complaints(&host(), std::slice::from_ref(&jumbo), &site), []);
    let one = Nic { xdp: Some(XdpFeatures(0xf)), ..jumbo.clone() };
    complains(&host(), one, &site, "mtu", Level::Failure, "ip link set dev eth0 mtu 3506");
    let old = HostFacts { release: "5.15.0".into(), ..host() };
    complains(&old, Nic { xdp: None, ..jumbo }, &site, "mtu", Level::Failure, "ip link set dev eth0 mtu 3506");
}

#[test]
fn too_few_queues_are_found() {
    let few = |combined, max_combined| Nic {
        channels: Some(Channels { combined, max_combined, ..Channels::default() }),
        ..nic()
    };
    complains(&host(), few(2, 64), &Site::default(), "queues", Level::Warning, "ethtool -L eth0 combined 8");
    complains(&host(), few(2, 4), &Site::default(), "queues", Level::Warning, "ethtool -L eth0 combined 4");
    assert_eq!(complaints(&host(), &[few(4, 4), Nic { channels: None, ..nic() }], &Site::default()), []);
}

/// More queues would switch native mode off.
#[test]
fn no_advice_on_queues_switches_native_mode_off() {
    let of = |driver: &str, combined, max_combined| Nic {
        driver: Some(driver.into()),
        channels: Some(Channels { combined, max_combined, ..Channels::default() }),
        ..nic()
    };
    let (host, site) = (host(), Site::default());
    // Eight CPUs.
    complains(&host, of("ena", 2, 8), &site, "queues", Level::Warning, "ethtool -L eth0 combined 4");
    complains(&host, of("ixgbe", 2, 12), &site, "queues", Level::Warning, "ethtool -L eth0 combined 4");
    complains(&host, of("virtio_net", 1, 10), &site, "queues", Level::Warning, "ethtool -L eth0 combined 2");
    complains(&host, of("virtio_net", 10, 10), &site, "queues", Level::Warning, "ethtool -L eth0 combined 2");
    complains(&host, of("mlx5_core", 2, 8), &site, "queues", Level::Warning, "ethtool -L eth0 combined 8");
    let fine = [("ena", 4, 8), ("ixgbe", 4, 12), ("virtio_net", 2, 10), ("virtio_net", 8, 8), ("mlx5_core", 8, 8)];
    for (driver, have, most) in fine {
        assert_eq!(complaints(&host, &[of(driver, have, most)], &site), [], "{driver}");
    }
    let separate = Channels { rx: 1, tx: 1, max_rx: 8, max_tx: 8, ..Channels::default() };
    let gve = Nic { channels: Some(separate), ..of("gve", 0, 0) };
    complains(&host, gve, &site, "queues", Level::Warning, "ethtool -L eth0 rx 4 tx 4");
    // Virtio changes no queues under a program.
    let native = Some(Program { mode: XdpMode::Native, ..generic().unwrap() });
    let attached = Nic { attached: true, program: native.clone(), ..of("virtio_net", 1, 10) };
    complains(
        &host,
        attached,
        &site,
        "queues",
        Level::Warning,
        "detach, then `ethtool -L eth0 combined 2`, then attach",
    );
}

#[test]
fn too_many_queues_for_native_mode_are_found() {
    let of = |driver: &str, combined, max_combined| Nic {
        driver: Some(driver.into()),
        channels: Some(Channels { combined, max_combined, ..Channels::default() }),
        ..nic()
    };
    let (host, site) = (host(), Site::default());
    for driver in ["ena", "bnxt_en"] {
        let nic = of(driver, 8, 8);
        complains(&host, nic.clone(), &site, "mode", Level::Warning, "ethtool -L eth0 combined 4");
        // ENA then also withdraws the feature.
        let without = Nic { xdp: Some(XdpFeatures(0)), ..nic.clone() };
        complains(&host, without, &site, "mode", Level::Warning, "ethtool -L eth0 combined 4");
        let attached = Nic { attached: true, program: generic(), ..nic.clone() };
        let cure = "ethtool -L eth0 combined 4 && (umask 077; modlb export";
        complains(&host, attached, &site, "mode", Level::Warning, cure);
        // It does run natively: this driver is newer than the rule.
        let native = Some(Program { mode: XdpMode::Native, ..generic().unwrap() });
        assert_eq!(complaints(&host, &[Nic { attached: true, program: native, ..nic }], &site), [], "{driver}");
    }
}

/// Names that a shell would take apart.
#[test]
fn names_in_commands_are_quoted() {
    let down = Nic { name: "a;b".into(), up: false, ..nic() };
    complains(&host(), down, &Site::default(), "link", Level::Failure, "ip link set dev 'a;b' up");
    let silent = ServerFacts { service: "the $web".into(), answers: BTreeSet::new(), ..server() };
    let site = Site { servers: vec![silent], ..Site::default() };
    complains(&host(), nic(), &site, "server", Level::Failure, "modlb server down 'the $web' 10.0.0.11");
    let context = CommandContext { netns: Some("it's".into()), instance: "default".into() };
    assert_eq!(context.here("ip link"), r"nsenter --net='/run/netns/it'\''s' -- ip link");
    assert_eq!(context.modlb("status"), r"modlb --netns 'it'\''s' status");
}

#[test]
fn a_peer_in_an_unnamed_namespace_is_found() {
    let peer = Peer { name: "v".into(), namespace: Some(Namespace::Unknown), program: false, vlan_offload: None };
    let nic = Nic { peer: Some(peer), ..nic() };
    complains(&host(), nic, &Site::default(), "peer", Level::Failure, "modlb --netns PATH dev pass v");
}

#[test]
fn foreign_programs_are_found() {
    let of =
        |owner| Nic { program: Some(Program { mode: XdpMode::Native, id: 7, name: "theirs".into(), owner }), ..nic() };
    for (owner, cure) in [
        (Owner::Other(None), "ip link set dev eth0 xdpdrv off"),
        (Owner::Other(Some(12)), "bpftool link detach id 12"),
        (Owner::Instance("two".into()), "modlb --instance two detach eth0"),
        (Owner::Pass, "modlb dev pass eth0 --remove"),
    ] {
        complains(&host(), of(owner), &Site::default(), "program", Level::Failure, cure);
    }
    // Who steers has none, and minds none.
    let site = Site { role: Role::Steer, ..Site::default() };
    assert_eq!(complaints(&host(), &[of(Owner::Other(None))], &site), []);
}

fn server() -> ServerFacts {
    ServerFacts {
        service: "web".into(),
        address: "10.0.0.11".parse().unwrap(),
        mac: Some(MAC),
        given: false,
        former: false,
        route: Ok("eth0".into()),
        entry: None,
        answers: BTreeSet::from([MAC]),
    }
}

#[test]
fn faults_of_servers_are_found() {
    let other = Mac([2, 0, 0, 0, 0, 9]);
    let site = |server| Site { servers: vec![server], config: Config::default(), ..Site::default() };
    assert_eq!(complaints(&host(), &[nic()], &site(server())), []);
    let answers = |macs: &[Mac], given| ServerFacts { answers: macs.iter().copied().collect(), given, ..server() };
    for (server, level, cure) in [
        (answers(&[], false), Level::Failure, "modlb server down web 10.0.0.11"),
        (answers(&[], true), Level::Warning, "modlb server down web 10.0.0.11"),
        (answers(&[other], false), Level::Failure, "modlb server up web 10.0.0.11"),
        (answers(&[other], true), Level::Failure, "change its mac in the configuration to 02:00:00:00:00:09"),
        (answers(&[MAC, other], false), Level::Failure, "remove the address from one of them"),
        (ServerFacts { route: Err("it is elsewhere".into()), ..server() }, Level::Failure, "on a link of this host"),
    ] {
        complains(&host(), nic(), &site(server), "server", level, cure);
    }
    let given = ServerFacts { route: Err("no route".into()), given: true, ..server() };
    assert_eq!(complaints(&host(), &[nic()], &site(given)), []);
    let member = Site { role: Role::Member, ..site(answers(&[], false)) };
    assert_eq!(complaints(&host(), &[nic()], &member), []);
}

/// A virtual router of VRRP's may answer.
#[test]
fn answers_for_a_service_are_judged() {
    let text = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"";
    let site = |mac: [u8; 6]| Site {
        config: crate::config::file::parse(text).unwrap(),
        answers: vec![("203.0.113.10".parse().unwrap(), "eth0".into(), Mac(mac))],
        ..Site::default()
    };
    assert_eq!(complaints(&host(), &[nic()], &site([0, 0, 0x5e, 0, 1, 7])), []);
    complains(&host(), nic(), &site([0, 0, 0x5e, 0, 3, 7]), "answers", Level::Failure, "00:00:5e:00:03:07");
}

#[test]
fn faults_of_the_instance_are_found() {
    let found = |instance: &Instance| {
        let findings = host::instance(instance, &context());
        let bad = findings.into_iter().find(|finding| finding.level != Level::Ok);
        bad.map(|finding| (finding.check, finding.level, finding.cure.unwrap()))
    };
    assert_eq!(found(&Instance::Missing), None);
    assert!(matches!(found(&Instance::Unusable("ABI 1".into())), Some(("instance", Level::Failure, _))));
    let differs = || vec![(Some("eth0".to_owned()), "it is gone".to_owned())];
    let running = |unconfirmed, gone| Instance::Running {
        standby: true,
        unconfirmed,
        differences: if gone { differs() } else { Vec::new() },
    };
    assert_eq!(found(&running(None, false)), None);
    let confirm = Some(("unconfirmed", Level::Warning, "modlb confirm".to_owned()));
    assert_eq!(found(&running(Some((12, true)), false)), confirm);
    assert_eq!(found(&running(Some((0, false)), false)), confirm);
    assert!(matches!(found(&running(None, true)), Some(("changed", Level::Failure, _))));
}

/// Commands reach the network namespace and the instance that were named.
#[test]
fn commands_name_namespace_and_instance() {
    let context = CommandContext { netns: Some("blue".into()), instance: "two".into() };
    assert_eq!(context.here("ip link"), "nsenter --net=/run/netns/blue -- ip link");
    assert_eq!(context.modlb("status"), "modlb --netns blue --instance two status");
    let context = CommandContext { netns: Some("/proc/7/ns/net".into()), instance: "default".into() };
    assert_eq!(context.sysctl(&["a=1".into(), "b=2".into()]), "nsenter --net=/proc/7/ns/net -- sysctl -w a=1 b=2");
}

/// A server at the MAC with this last byte.
fn server_at(address: &str, last: u8) -> ServerFacts {
    ServerFacts {
        service: "web".into(),
        address: address.parse().unwrap(),
        mac: Some(Mac([2, 0, 0, 0, 0, last])),
        given: false,
        former: false,
        route: Ok("eth0".into()),
        entry: None,
        answers: BTreeSet::from([Mac([2, 0, 0, 0, 0, last])]),
    }
}

/// A balancer whose frames are expected from the MAC with this last byte.
fn balancer_at(address: &str, last: u8) -> PeerFacts {
    let mac = Mac([2, 0, 0, 0, 0, last]);
    PeerFacts { address: address.parse().unwrap(), mac: Some(mac), answers: BTreeSet::from([mac]) }
}

#[test]
fn a_server_at_another_balancers_mac_is_found() {
    let site = |servers: &[ServerFacts], peers: &[PeerFacts]| Site {
        servers: servers.to_vec(),
        peers: peers.to_vec(),
        ..Site::default()
    };
    let (eleven, twelve) = (server_at("10.0.0.11", 0x11), server_at("10.0.0.12", 0x12));
    let good = site(&[eleven.clone(), twelve.clone()], &[balancer_at("10.0.0.2", 2), balancer_at("10.0.0.12", 0x12)]);
    assert_eq!(complaints(&host(), &[nic()], &good), []);
    let cure = "correct the server's mac";
    let bad = site(&[eleven, server_at("10.0.0.13", 2)], &[balancer_at("10.0.0.2", 2)]);
    complains(&host(), nic(), &bad, "balancers", Level::Failure, cure);
    let six = site(&[server_at("fd00::13", 2)], &[balancer_at("fd00::2", 2)]);
    complains(&host(), nic(), &six, "balancers", Level::Failure, cure);
    // A balancer that is no server has no other family's server.
    let mixed = site(&[server_at("fd00::13", 2)], &[balancer_at("10.0.0.2", 2)]);
    complains(&host(), nic(), &mixed, "balancers", Level::Failure, "name it in `peers` as well");
    // One that is a server may be listed by one of its addresses.
    let both = site(&[twelve.clone(), server_at("fd00::12", 0x12)], &[balancer_at("10.0.0.12", 0x12)]);
    assert_eq!(complaints(&host(), &[nic()], &both), []);
}

#[test]
fn a_peer_whose_frames_cannot_be_told_is_found() {
    let site = |peer: PeerFacts| Site { peers: vec![peer], ..Site::default() };
    let silent = PeerFacts { mac: None, answers: BTreeSet::new(), ..balancer_at("10.0.0.2", 2) };
    complains(&host(), nic(), &site(silent), "balancers", Level::Warning, "modlb agent");
    let moved = PeerFacts { mac: Some(Mac([2, 0, 0, 0, 0, 9])), ..balancer_at("10.0.0.2", 2) };
    complains(&host(), nic(), &site(moved), "balancers", Level::Failure, "modlb apply /run/modlb-default.toml");
    let found = PeerFacts { mac: None, ..balancer_at("10.0.0.2", 2) };
    assert_eq!(complaints(&host(), &[nic()], &site(found)), []);
}

/// A host that is a server of what it balances must know all other servers' MACs, also of those that are down.
#[test]
fn a_balancer_that_is_a_server_must_know_the_other_servers() {
    let file = |other: &str| {
        format!(
            "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nserver = [{{ address = \"10.0.0.1\" }}, \
             {{ address = \"10.0.0.12\", state = \"down\"{other} }}]"
        )
    };
    let own =
        Address { interface: 2, address: "10.0.0.1".parse().unwrap(), length: 24, tentative: false, duplicate: false };
    let site = |other: &str, standby| Site {
        config: crate::config::file::parse(&file(other)).unwrap(),
        here: true,
        addresses: vec![own],
        standby,
        ..Site::default()
    };
    let known = ", mac = \"02:00:00:00:00:12\"";
    assert_eq!(complaints(&host(), &[nic()], &site(known, false)), []);
    assert_eq!(complaints(&host(), &[nic()], &site("", true)), []);
    complains(&host(), nic(), &site("", false), "balancers", Level::Warning, "give its mac");
}
