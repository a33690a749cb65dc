//! Role `balancer`, with one interface and with two.

use std::path::Path;

use crate::{
    Old, assert_same, assert_well,
    instance::{SMALL, make_former},
    need_root, open,
    support::{two_links::TwoLinks, wait::wait},
    under_load,
};

/// An upgrade under load: every packet reaches its server by the right link, and is counted once.
fn nothing_is_lost<const N: usize>(attached: &str, configuration: &str, interfaces: [usize; N]) {
    let old = Old::new(attached, configuration, |_| {});
    let (output, fates) = under_load(&old.links, interfaces, &mut old.links.modlb.command("upgrade"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut sent = 0;
    for fate in fates {
        assert!((fate.wrong, fate.lost) == (0, 0) && fate.right > 20, "{attached}: {fate:?}");
        sent += fate.right as u64;
    }
    assert_well(&old.links.modlb);
    let now = open(&old.links.namespace, &old.links.modlb).totals().unwrap();
    let former = old.totals();
    assert_eq!(now.services.iter().map(|service| service.total.packets).sum::<u64>(), sent);
    let forwarded = |totals: &lb_userspace::datapath::Totals| totals.outcomes[0].packets;
    assert!(forwarded(&former) > 0 && forwarded(&now) > forwarded(&former), "both versions have forwarded");
}

#[test]
fn two_interfaces() {
    need_root!();
    nothing_is_lost("eth0 eth1", &TwoLinks::configuration(), [0, 1]);
    nothing_is_lost("eth0 eth1", &TwoLinks::configuration_without_macs(), [0, 1]);
}

#[test]
fn one_interface() {
    need_root!();
    // The servers of the second link are down.
    let configuration = TwoLinks::configuration()
        .replace("address = \"10.0.1.12\"\n", "address = \"10.0.1.12\"\nstate = \"down\"\n")
        .replace("address = \"fd00:1::12\"\n", "address = \"fd00:1::12\"\nstate = \"down\"\n");
    nothing_is_lost("eth0", &configuration, [0]);
}

/// Counters, also of servers and services that are no longer configured; findings, MACs and states.
#[test]
fn what_was_known_and_counted_is_kept() {
    need_root!();
    let more = "[[service]]\nname = \"net\"\naddress = \"192.0.2.0/25\"\nformula = \"5-tuple\"\nfragments = \"balance\"\n\
                selection = \"resilient\"\n[service.check]\nkind = \"http\"\nport = 81\npath = \"/x\"\n\
                [[service.server]]\naddress = \"10.0.0.11\"\nweight = 3\nvlan = 7\n[[service.server]]\naddress = \
                \"10.0.0.77\"\n[[service.server]]\naddress = \"10.0.1.12\"\nmac = \"02:00:00:00:02:0c\"\nstate = \"down\"\n";
    let wanted = TwoLinks::configuration_without_macs() + more;
    let gone =
        "[[service]]\nname = \"gone\"\naddress = \"203.0.113.10\"\n[[service.server]]\naddress = \"10.0.0.11\"\n";
    let old = Old::new("eth0 eth1", &format!("{}{gone}", TwoLinks::configuration_without_macs()), |links| {
        links.probe(0);
        // Its counter is draining in the half that is upgraded. ABI 6 keeps what a server counted in its own counter
        // alone, so no list of servers that counted is changed.
        links.modlb.ok("server remove gone 10.0.0.11");
        links.probe(1);
        links.modlb.apply(&wanted);
    });
    let (status, exported) = {
        // Of the instance as it was before, by a copy of the file.
        (old.before.snapshot(), wanted)
    };
    old.links.probe(0);
    let former = old.totals();
    old.links.modlb.ok("upgrade");
    let now = open(&old.links.namespace, &old.links.modlb);
    assert_same(&former, &now.totals().unwrap());
    let found = now.snapshot();
    assert_well(&old.links.modlb);
    let health = |snapshot: &lb_userspace::datapath::Snapshot| -> Vec<_> {
        let servers = snapshot.config.services.iter().flat_map(|service| &service.servers);
        servers.map(|server| (server.address, server.mac.get(), server.state, server.health, server.weight)).collect()
    };
    assert_eq!(health(&found), health(&status));
    assert_eq!(found.locations, status.locations);
    assert_eq!(found.record.source, status.record.source);
    assert!(found.servers.iter().any(|server| server.unresolved_since != 0), "nobody answers as 10.0.0.77");
    let digests = |snapshot: &lb_userspace::datapath::Snapshot| -> Vec<_> {
        snapshot.services.iter().map(|service| service.digest).collect()
    };
    assert_eq!(digests(&found), digests(&status));
    // Nothing is left for `apply` to change.
    let file = old.links.modlb.file("same.toml", &exported);
    let said = old.links.modlb.ok(&format!("apply --dry-run {}", file.display()));
    assert!(!said.contains('+') && !said.contains('~') && !said.contains('-'), "{said}");
    // The counters go on, and follow their servers.
    let before = now.totals().unwrap();
    assert_eq!(old.links.probe(0).lost, 0);
    let after = now.totals().unwrap();
    assert_eq!(after.outcomes[0].packets, before.outcomes[0].packets + 24);
    old.links.modlb.ok("server down six fd00:1::12");
    old.links.modlb.ok("server up six fd00:1::12");
    assert_same(&after, &now.totals().unwrap());
}

#[test]
fn standby_stays() {
    need_root!();
    let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |links| {
        links.modlb.ok("standby");
    });
    assert_eq!(old.links.probe(0).right, 0);
    let (output, [fate]) = under_load(&old.links, [0], &mut old.links.modlb.command("upgrade"));
    assert!(output.status.success() && fate.right == 0, "{fate:?}");
    assert_eq!(assert_well(&old.links.modlb)["state"], "standby");
    old.links.modlb.ok("activate");
    let fate = old.links.probe(1);
    assert_eq!((fate.right, fate.lost), (24, 0));
}

/// A takeover that meets an upgrade waits for it.
#[test]
fn a_takeover_during_an_upgrade() {
    need_root!();
    let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |_| {});
    let modlb = &old.links.modlb;
    let mut upgrade = modlb.command("upgrade").spawn().unwrap();
    let beside = Path::new("/sys/fs/bpf/modlb-upgrade").join(modlb.instance());
    wait(|| beside.exists() || upgrade.try_wait().unwrap().is_some(), || "the upgrade does not begin".to_owned());
    modlb.ok("standby");
    assert!(upgrade.wait().unwrap().success());
    assert_eq!(assert_well(modlb)["state"], "standby");
    assert_eq!(old.links.probe(0).right, 0);
}

/// A program for frames in several buffers is replaced by one, in the driver.
#[test]
fn large_frames_in_native_mode() {
    need_root!();
    let links = TwoLinks::new();
    for interface in ["eth0", "peer0"] {
        links.namespace.ip(&format!("link set {interface} mtu 9000"));
    }
    let configuration = TwoLinks::configuration().replace("10.0.1.12", "10.0.0.12").replace("fd00:1::12", "fd00:0::12");
    links.modlb.ok("dev pass peer0");
    links.modlb.attach(&format!("eth0 --mode native {SMALL}"), &configuration);
    make_former(&links.namespace, &links.modlb, None);
    links.modlb.ok("upgrade");
    let interface = assert_well(&links.modlb)["interfaces"][0].clone();
    assert_eq!((&interface["multi_buffer"], &interface["mode"]), (&true.into(), &"native".into()));
}
