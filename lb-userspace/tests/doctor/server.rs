//! A server of direct server return.

use std::os::unix::fs::PermissionsExt as _;

use crate::{
    complaints, names, names_and_mends, need_root, run, silent,
    support::{modlb::Modlb, namespace::Namespace},
};

const ASK: &str = "--server --service 203.0.113.10,2001:db8:f00::10";

/// A server that is set up, with a way to its clients.
struct Server {
    modlb: Modlb,
    namespace: Namespace,
    beyond: Namespace,
}

impl Server {
    fn new() -> Self {
        let namespace = Namespace::new("server");
        namespace.ip("link add eth0 address 02:00:00:00:00:0b type veth peer name peer0 address 02:00:00:00:00:02");
        let beyond = Namespace::new("beyond");
        namespace.ip(&format!("link set peer0 netns {}", beyond.name()));
        beyond.ip("link set peer0 up");
        namespace.ip("link set eth0 up");
        namespace.ip("addr add 10.0.0.11/24 dev eth0");
        namespace.ip("addr add fd00::b/64 dev eth0 nodad");
        namespace.ip("route add default via 10.0.0.2");
        namespace.ip("-6 route add default via fd00::2");
        namespace.run("sysctl", "-w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
        namespace.ip("addr add 203.0.113.10/32 dev lo");
        namespace.ip("addr add 2001:db8:f00::10/128 dev lo nodad");
        Self { modlb: Modlb::new(&namespace), namespace, beyond }
    }
}

#[test]
fn a_healthy_server_has_no_findings() {
    need_root!();
    let server = Server::new();
    silent(&server.modlb, ASK);
    let file = server.modlb.file(
        "modlb.toml",
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n[[service.server]]\naddress = \"10.0.0.11\"\n",
    );
    silent(&server.modlb, &format!("--server --config {}", file.display()));
    assert!(server.modlb.fails("doctor --server").contains("name the services' addresses"));
}

/// What `server-setup.sh` does is what the doctor wants.
#[test]
fn a_server_set_up_by_the_script_is_healthy() {
    need_root!();
    let server = Server::new();
    for (address, length) in [("203.0.113.10", 32), ("2001:db8:f00::10", 128)] {
        server.namespace.ip(&format!("addr del {address}/{length} dev lo"));
    }
    server.namespace.run("sysctl", "-w net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0");
    let checks: Vec<_> = complaints(&server.modlb, ASK).into_iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["address", "address", "arp_ignore", "arp_announce"]);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/server-setup.sh");
    let call = |undo: &[&str]| {
        let mut command = std::process::Command::new(&script);
        command.args(undo).args(["--netns", server.namespace.name(), "203.0.113.10", "2001:db8:f00::10"]);
        assert!(command.status().unwrap().success());
    };
    call(&[]);
    silent(&server.modlb, ASK);
    // What it has recorded is for root only.
    let state = std::path::Path::new("/run/modlb-server").join(server.namespace.name());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(state.parent().unwrap()), mode(&state)), (0o700, 0o700));
    for record in std::fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&record.unwrap().path()), 0o600);
    }
    call(&["--undo"]);
    // The kernel writes addresses in one way, people in several.
    let call = |undo: &[&str], address: &str| {
        let mut command = std::process::Command::new(&script);
        command.args(undo).args(["--netns", server.namespace.name(), address]);
        assert!(command.status().unwrap().success());
    };
    let has = || server.namespace.run("ip", "-oneline addr show dev lo").contains("2001:db8:f00::abcd/128");
    call(&[], "2001:DB8:F00::ABCD");
    assert!(has());
    call(&["--undo"], "2001:db8:f00:0::abcd");
    assert!(!has() && !state.exists());
}

/// `ip` would read 010.0.0.1 as 8.0.0.1.
#[test]
fn the_script_refuses_what_is_no_address() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/server-setup.sh");
    let dry_run = |address: &str| std::process::Command::new(&script).args(["--dry-run", address]).output().unwrap();
    for address in [
        "010.0.0.1",
        "10.0.00.1",
        "10.0.0.01",
        "256.0.0.1",
        "10.0.0",
        "10.0.0.1.2",
        "10.0.0.x",
        "1:2",
        "10",
        "0x0a.0.0.1",
    ] {
        let output = dry_run(address);
        assert!(!output.status.success(), "{address}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(&format!("{address} is not an IP address")), "{error}");
    }
    for address in [
        "127.0.0.1",
        "0.0.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "169.254.1.1",
        "::",
        "::1",
        "ff02::1",
        "fe80::1",
        "FE80::1",
        "febf::1",
        "::ffff:10.0.0.1",
        "::FFFF:a00:1",
        "0:0:0:0:0:ffff:a00:1",
    ] {
        let output = dry_run(address);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && error.contains(&format!("{address} cannot be a service's address")),
            "{error}"
        );
    }
    for (address, length) in
        [("10.0.0.1", 32), ("223.255.255.254", 32), ("2001:DB8:F00::ABCD", 128), ("fd00:ffff::1", 128)]
    {
        let said = String::from_utf8(dry_run(address).stdout).unwrap();
        assert!(said.contains(&format!("ip address add {address}/{length} dev lo")), "{said}");
    }
    // Four groups are no IPv6 address, which `ip` knows.
    assert!(!dry_run("1:2:3:4").status.success());
}

#[test]
fn a_missing_address_is_found() {
    need_root!();
    let server = Server::new();
    for (address, length) in [("203.0.113.10", 32), ("2001:db8:f00::10", 128)] {
        server.namespace.ip(&format!("addr del {address}/{length} dev lo"));
        names_and_mends(&server.modlb, ASK, "failure", "address", address, "not an address of this host");
    }
}

#[test]
fn an_announced_address_is_found() {
    need_root!();
    let server = Server::new();
    for (address, length) in [("203.0.113.10", 32), ("2001:db8:f00::10", 128)] {
        server.namespace.ip(&format!("addr del {address}/{length} dev lo"));
        server.namespace.ip(&format!("addr add {address}/{length} dev eth0 nodad"));
        names_and_mends(&server.modlb, ASK, "failure", "address", address, "on eth0, not on lo");
    }
}

#[test]
fn answering_arp_is_found() {
    need_root!();
    let server = Server::new();
    server.namespace.run("sysctl", "-w net.ipv4.conf.all.arp_ignore=0");
    names_and_mends(&server.modlb, ASK, "failure", "arp_ignore", "eth0", "arp_ignore = 0");
    // The larger value counts, and 3 answers for loopback's addresses again.
    server.namespace.run("sysctl", "-w net.ipv4.conf.eth0.arp_ignore=3");
    names_and_mends(&server.modlb, ASK, "failure", "arp_ignore", "eth0", "arp_ignore = 3");
}

#[test]
fn announcing_the_address_is_found() {
    need_root!();
    let server = Server::new();
    server.namespace.run("sysctl", "-w net.ipv4.conf.all.arp_announce=0");
    names_and_mends(&server.modlb, ASK, "failure", "arp_announce", "eth0", "arp_announce = 0");
}

#[test]
fn a_missing_route_to_clients_is_found() {
    need_root!();
    let server = Server::new();
    server.namespace.ip("route del default");
    let found = names(&server.modlb, ASK, "warning", "route", "203.0.113.10", "to clients anywhere: there is no route");
    assert!(found.cure.unwrap().contains("ip route add default via ROUTER"));
    // Clients that are on the link need none.
    silent(&server.modlb, "--server --service 203.0.113.10 --client 10.0.0.100");
    let ask = "--server --service 203.0.113.10 --client 198.51.100.7";
    names(&server.modlb, ask, "failure", "route", "203.0.113.10", "to 198.51.100.7: there is no route");
    server.namespace.ip("route add default via 10.0.0.2");
    silent(&server.modlb, ask);
    server.namespace.ip("-6 route del default");
    names(&server.modlb, ASK, "warning", "route", "2001:db8:f00::10", "there is no route");
}

#[test]
fn a_strict_reverse_path_filter_is_found() {
    need_root!();
    let server = Server::new();
    server.namespace.ip("link add eth1 type veth peer name peer1");
    server.namespace.ip("link set eth1 up");
    server.namespace.run("sysctl", "-w net.ipv4.conf.eth1.rp_filter=1");
    names_and_mends(&server.modlb, ASK, "warning", "rp_filter", "eth1", "rp_filter = 1, strict");
}

/// Every server has the address: the second one that checks finds the first.
#[test]
fn an_address_checked_for_duplicates_is_found() {
    need_root!();
    let server = Server::new();
    server.beyond.ip("addr add 2001:db8:f00::10/128 dev peer0 nodad");
    server.namespace.ip("addr del 2001:db8:f00::10/128 dev lo");
    server.namespace.run("sysctl", "-w net.ipv6.conf.eth0.accept_dad=1 net.ipv6.conf.eth0.dad_transmits=3");
    server.namespace.ip("addr add 2001:db8:f00::10/128 dev eth0");
    let found = |seen: &str| {
        let start = std::time::Instant::now();
        loop {
            let bad = complaints(&server.modlb, ASK);
            if let Some(found) = bad.iter().find(|finding| finding.check == "duplicate" && finding.seen.contains(seen))
            {
                assert_eq!((found.level.as_str(), found.subject.as_str()), ("failure", "2001:db8:f00::10"));
                assert!(
                    bad.iter().all(|finding| ["duplicate", "address"].contains(&finding.check.as_str())),
                    "{bad:#?}"
                );
                return found.clone();
            }
            assert!(start.elapsed() < std::time::Duration::from_secs(5), "{bad:#?}");
        }
    };
    let duplicate = found("dadfailed");
    run(&duplicate);
    silent(&server.modlb, ASK);
    // One that is still being checked: there is no answer, and it takes three seconds.
    server.beyond.ip("addr del 2001:db8:f00::10/128 dev peer0");
    server.namespace.ip("addr del 2001:db8:f00::10/128 dev lo");
    server.namespace.ip("addr add 2001:db8:f00::10/128 dev eth0");
    run(&found("tentative"));
    silent(&server.modlb, ASK);
}

#[test]
fn a_rule_before_the_local_table_is_found() {
    need_root!();
    let server = Server::new();
    server.namespace.ip("route add table 7 203.0.113.10 via 10.0.0.2");
    server.namespace.ip("rule add pref 0 lookup 7");
    server.namespace.ip("rule del pref 0 lookup local");
    server.namespace.ip("rule add pref 1 lookup local");
    names(&server.modlb, ASK, "failure", "address", "203.0.113.10", "on lo, but not routed here");
}
