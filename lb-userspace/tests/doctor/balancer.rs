//! A balancer's interfaces and services.

use std::{thread, time::Duration};

use crate::{
    complaints, examine, names, names_and_mends, need_root, run, silent,
    support::network::{Network, SERVICES},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// Two servers, and queues for every CPU: nothing to complain of once it is attached.
fn network() -> Network {
    let network = Network::new(2, 1);
    let cpus = thread::available_parallelism().unwrap();
    network.gateway.run("ethtool", &format!("-L eth0 rx {cpus} tx {cpus}"));
    network.switch.run("ethtool", &format!("-L v-gateway rx {cpus} tx {cpus}"));
    network
}

fn attached(mode: &str) -> Network {
    let network = network();
    network.attach(mode, &network.configuration(2, HTTP));
    network
}

#[test]
fn a_healthy_balancer_has_no_findings() {
    need_root!();
    let network = attached("native");
    silent(&network.modlb, "");
    let text = network.modlb.ok("doctor");
    assert!(text.contains("ok       server        10.0.0.11, 10.0.0.12, fd00::b, fd00::c\n"), "{text}");
    assert!(text.ends_with("checks: 0 failed, 0 warned\n"), "{text}");
    let each = network.modlb.ok("doctor -v eth0");
    assert!(each.contains("server        10.0.0.11: answers on eth0 at 02:00:00:00:00:0b\n"), "{each}");
    // On standby as well, which is reported.
    network.modlb.ok("standby");
    silent(&network.modlb, "");
    assert!(network.modlb.ok("doctor").contains("on standby"));
}

#[test]
fn it_checks_before_the_first_attach() {
    need_root!();
    let network = network();
    let error = network.modlb.fails("doctor");
    assert!(error.contains("is not running, so name what to look at"), "{error}");
    let configuration = "interfaces = [\"eth0\"]\n".to_owned() + &network.configuration(2, HTTP);
    let file = network.modlb.file("modlb.toml", &configuration);
    let arguments = format!("--config {}", file.display());
    names_and_mends(&network.modlb, &arguments, "failure", "peer", "eth0", "no XDP program");
    assert!(network.modlb.fails("doctor no-such").contains("there is no interface \"no-such\""));
}

#[test]
fn a_peer_without_a_program_is_found() {
    need_root!();
    let network = attached("native");
    let dev = format!("--netns {} dev pass v-gateway --remove", network.switch.name());
    assert!(std::process::Command::new(env!("CARGO_BIN_EXE_modlb")).args(dev.split(' ')).status().unwrap().success());
    let seen = format!("v-gateway in the network namespace {}: no XDP program", network.switch.name());
    names_and_mends(&network.modlb, "", "failure", "peer", "eth0", &seen);
}

#[test]
fn an_interface_that_is_down_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.ip("link set eth0 down");
    let bad = complaints(&network.modlb, "");
    let link = bad.iter().find(|finding| finding.check == "link").unwrap();
    assert_eq!((link.level.as_str(), link.seen.as_str()), ("failure", "down"));
    assert!(bad.iter().all(|finding| ["link", "server", "changed"].contains(&finding.check.as_str())), "{bad:#?}");
    run(link);
    thread::sleep(Duration::from_millis(200));
    // With the link went the address of IPv6, which no command can know.
    network.gateway.ip("addr add fd00::1/64 dev eth0 nodad");
    silent(&network.modlb, "");
    network.switch.ip("link set v-gateway down");
    let bad = complaints(&network.modlb, "");
    assert!(bad[0].seen.contains("without a carrier"), "{bad:#?}");
}

#[test]
fn an_interface_that_is_gone_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.ip("link del eth0");
    let bad = complaints(&network.modlb, "");
    assert!(
        bad.iter().any(|finding| finding.check == "changed" && finding.seen == "the interface is gone"),
        "{bad:#?}"
    );
}

#[test]
fn an_interface_in_a_bridge_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.ip("link add br0 type bridge");
    network.gateway.ip("link set br0 address 02:00:00:00:00:99 up");
    network.gateway.ip("link set eth0 master br0");
    names_and_mends(&network.modlb, "", "failure", "membership", "eth0", "a member of the bridge br0");
    network.gateway.ip("link set br0 address 02:00:00:00:00:01");
    network.gateway.ip("link set eth0 master br0");
    names_and_mends(&network.modlb, "", "warning", "membership", "eth0", "a member of the bridge br0");
}

#[test]
fn a_foreign_program_is_found() {
    need_root!();
    let network = network();
    network.gateway.ip("link add spare type veth peer name spare1");
    let modlb = &network.modlb;
    let program = |arguments: &str| {
        let (findings, _) = examine(modlb, arguments);
        findings.into_iter().find(|finding| finding.check == "program").unwrap()
    };
    // One of ours, for tests.
    modlb.ok("dev pass eth0");
    let found = program("eth0");
    assert!(found.level == "failure" && found.seen.contains("of `modlb dev pass`"), "{found:#?}");
    // The same program attached again without a link counts as foreign.
    let id = found.seen.split("(program ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    network.gateway.run("bpftool", &format!("net attach xdpgeneric id {id} dev spare"));
    network.gateway.ip("link set spare up");
    run(&found);
    assert_eq!(program("eth0").level, "ok");
    let error = modlb.fails("attach spare");
    assert!(error.contains("another XDP program"), "{error}");
    let found = program("spare");
    assert!(found.level == "failure" && found.seen.contains("generic), a foreign program"), "{found:#?}");
    run(&found);
    assert_eq!(program("spare").level, "ok");
    modlb.ok("attach spare --mode generic");
    assert_eq!(program("").level, "ok");
    // Another instance's.
    let other = crate::support::modlb::Modlb::new(&network.gateway);
    let (findings, _) = examine(&other, "spare");
    let found = findings.into_iter().find(|finding| finding.check == "program").unwrap();
    assert!(found.seen.contains(&format!("of instance {}", modlb.instance())), "{found:#?}");
    run(&found);
    assert!(!modlb.pins().exists());
}

#[test]
fn generic_mode_is_found() {
    need_root!();
    let network = network();
    network.attach("generic", &network.configuration(2, HTTP));
    names(&network.modlb, "", "warning", "mode", "eth0", "generic, though veth may support native mode");
    // In generic mode packets that were merged are a fault of their own.
    network.gateway.run("ethtool", "-K eth0 gro on");
    let bad = complaints(&network.modlb, "");
    let merging = bad.iter().find(|finding| finding.check == "merging").unwrap();
    assert_eq!(merging.seen, "gro on, in generic mode");
    run(merging);
    assert!(complaints(&network.modlb, "").iter().all(|finding| finding.check != "merging"));
    // Natively the peer needs a program, which it is given first. Who stands by goes on doing so.
    network.modlb.ok("standby");
    names_and_mends(&network.modlb, "", "warning", "mode", "eth0", "generic, though veth may support native mode");
    assert_eq!(network.modlb.json("status")["state"], "standby");
    assert_eq!(network.modlb.json("status")["interfaces"][0]["mode"], "native");
    assert_eq!(network.modlb.json("status")["services"][0]["n"], 2);
}

#[test]
fn an_mtu_too_large_for_the_driver_is_found() {
    need_root!();
    let network = network();
    network.gateway.ip("tuntap add tap0 mode tap");
    network.gateway.ip("link set tap0 mtu 9000");
    let of = |findings: Vec<crate::Finding>| findings.into_iter().find(|finding| finding.check == "mtu");
    let found = of(examine(&network.modlb, "tap0").0).unwrap();
    assert_eq!((found.level.as_str(), found.seen.as_str()), ("failure", "MTU 9000; one buffer holds about 3506"));
    run(&found);
    assert!(of(examine(&network.modlb, "tap0").0).is_none());
    // A veth takes frames in several buffers.
    network.gateway.ip("link set eth0 mtu 9000");
    assert_eq!(of(examine(&network.modlb, "eth0").0).unwrap().level, "ok");
}

#[test]
fn stripped_tags_are_found() {
    need_root!();
    let network = attached("native");
    silent(&network.modlb, "");
    network.modlb.ok("server remove web4 10.0.0.12");
    network.modlb.ok("server add web4 10.0.0.12 --mac 02:00:00:00:00:0c --vlan 20");
    names_and_mends(&network.modlb, "", "warning", "tags", "eth0", "txvlan on at its peer v-gateway");
}

#[test]
fn one_queue_for_all_cpus_is_found() {
    need_root!();
    if thread::available_parallelism().unwrap().get() < 2 {
        eprintln!("SKIPPED: one CPU has queues enough");
        return;
    }
    let network = network();
    // A veth does not take fewer than its peer sends by.
    network.switch.run("ethtool", "-L v-gateway tx 1");
    network.gateway.run("ethtool", "-L eth0 rx 1");
    network.attach("native", &network.configuration(2, HTTP));
    names_and_mends(&network.modlb, "", "warning", "queues", "eth0", "1 receive queue for ");
}

#[test]
fn a_strict_reverse_path_filter_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.run("sysctl", "-w net.ipv4.conf.eth0.rp_filter=1");
    silent(&network.modlb, "");
    network.modlb.ok("server add web4 10.0.0.1");
    names_and_mends(&network.modlb, "", "warning", "rp_filter", "eth0", "rp_filter = 1, strict");
}

#[test]
fn a_silent_server_is_found() {
    need_root!();
    let network = attached("native");
    network.server_namespaces().nth(1).unwrap().ip("link set eth0 down");
    let bad = complaints(&network.modlb, "");
    assert_eq!(bad.len(), 2, "one for each family: {bad:#?}");
    for (finding, (address, by)) in bad.iter().zip([("10.0.0.12", "ARP"), ("fd00::c", "neighbour discovery")]) {
        assert_eq!(
            (finding.check.as_str(), finding.subject.as_str(), finding.level.as_str()),
            ("server", address, "failure")
        );
        assert!(finding.seen.starts_with(&format!("no answer by {by} on eth0")), "{finding:#?}");
        run(finding);
    }
    silent(&network.modlb, "");
}

/// The state of the kernel's own entry is reported.
#[test]
fn a_server_that_the_kernel_gave_up_on_is_found() {
    need_root!();
    let network = attached("native");
    network.server_namespaces().next().unwrap().ip("link set eth0 down");
    network.gateway.ip("neigh flush all");
    network.gateway.within(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let _ = socket.send_to(b"?", "10.0.0.11:9");
    });
    thread::sleep(Duration::from_millis(3_500));
    let bad = complaints(&network.modlb, "");
    assert!(bad.iter().any(|finding| finding.subject == "10.0.0.11" && finding.seen.contains("FAILED")), "{bad:#?}");
}

#[test]
fn a_changed_mac_is_found() {
    need_root!();
    let network = attached("native");
    let server = network.server_namespaces().next().unwrap();
    server.ip("link set eth0 address 02:00:00:00:00:77");
    let bad = complaints(&network.modlb, "");
    assert_eq!(bad.len(), 2, "{bad:#?}");
    for finding in &bad {
        assert!(finding.seen.contains("at 02:00:00:00:00:77, packets go to 02:00:00:00:00:0b"), "{finding:#?}");
    }
    // The kernel asks again once it has forgotten.
    network.gateway.ip("neigh flush all");
    bad.iter().for_each(run);
    silent(&network.modlb, "");
}

#[test]
fn a_server_behind_a_router_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.ip("route add 192.0.2.0/24 via 10.0.0.2");
    let text = network.configuration(2, HTTP)
        + "[[service.server]]\naddress = \"2001:db8:9::1\"\n[[service]]\nname = \
        \"other\"\naddress = \"203.0.113.99\"\n[[service.server]]\naddress = \"192.0.2.9\"\n";
    let file = network.modlb.file("more.toml", &text);
    let bad = complaints(&network.modlb, &format!("--config {}", file.display()));
    let seen: Vec<_> = bad.iter().map(|finding| (finding.subject.as_str(), finding.seen.as_str())).collect();
    assert!(seen[0].0 == "192.0.2.9" && seen[0].1.contains("behind the router 10.0.0.2"), "{seen:?}");
    assert!(seen[1].0 == "2001:db8:9::1" && seen[1].1.contains("no route"), "{seen:?}");
}

#[test]
fn a_service_address_on_this_host_is_found() {
    need_root!();
    let network = attached("native");
    network.gateway.ip("addr add 203.0.113.10/32 dev eth0");
    names_and_mends(&network.modlb, "", "warning", "service", "203.0.113.10", "an address of eth0");
    network.gateway.ip("addr add 2001:db8:f00::10/128 dev eth0 nodad");
    names_and_mends(&network.modlb, "", "warning", "service", "2001:db8:f00::10", "an address of eth0");
}

#[test]
fn another_machine_that_answers_is_found() {
    need_root!();
    let network = attached("native");
    for (service, length) in SERVICES.into_iter().zip([32, 128]) {
        network.client.ip(&format!("addr add {service}/{length} dev eth0 nodad"));
        let seen = "02:00:00:00:00:02 answers for it on eth0";
        let found = names(&network.modlb, "", "failure", "answers", &service.to_string(), seen);
        assert!(found.cure.unwrap().contains("from the machine with the MAC 02:00:00:00:00:02"));
        // The other balancer may, as long as this one stands by.
        network.modlb.ok("standby");
        silent(&network.modlb, "");
        network.modlb.ok("activate");
        network.client.ip(&format!("addr del {service}/{length} dev eth0"));
        silent(&network.modlb, "");
    }
}

#[test]
fn a_server_that_answers_is_found() {
    need_root!();
    let network = attached("native");
    let server = network.server_namespaces().next().unwrap();
    server.run("sysctl", "-w net.ipv4.conf.all.arp_ignore=0");
    let seen = "the server 10.0.0.11 (02:00:00:00:00:0b) answers for it on eth0";
    let found = names(&network.modlb, "", "failure", "answers", "203.0.113.10", seen);
    assert!(found.cure.unwrap().contains("modlb doctor --server --service 203.0.113.10"));
    // What the doctor says on the server itself ends it.
    let on_server = crate::support::modlb::Modlb::new(server);
    complaints(&on_server, "--server --service 203.0.113.10 --client 10.0.0.100").iter().for_each(run);
    silent(&network.modlb, "");
}

/// A change that waits for confirmation is reported.
#[test]
fn an_unconfirmed_change_is_found() {
    need_root!();
    let network = attached("native");
    let file = network.modlb.file("new.toml", &network.configuration(1, HTTP));
    network.modlb.ok(&format!("apply {} --confirm 600", file.display()));
    let instance = network.modlb.instance().to_owned();
    names_and_mends(&network.modlb, "", "warning", "unconfirmed", &instance, "a change is not confirmed");
}

/// A server behind whose MAC there is another balancer, by a proxy ARP entry on that balancer.
#[test]
fn a_server_that_is_another_balancer_is_found() {
    need_root!();
    let network = network();
    let peers = "peers = [\"10.0.0.2\", \"fd00::2\"]\n".to_owned();
    network.attach("native", &(peers + &network.configuration(2, HTTP)));
    silent(&network.modlb, "");
    assert!(network.modlb.ok("doctor -v").contains("10.0.0.2: its frames come from 02:00:00:00:00:02"));
    // The client's host, which stands for the other balancer, has the server's address.
    network.client.ip("addr add 10.0.0.13/32 dev eth0");
    network.modlb.ok("server add web4 10.0.0.13");
    let seen = "its frames go to 02:00:00:00:00:02, which is the balancer 10.0.0.2";
    names(&network.modlb, "", "failure", "balancers", "10.0.0.13", seen);
    network.modlb.ok("server remove web4 10.0.0.13");
    silent(&network.modlb, "");
    network.client.ip("link set eth0 address 02:00:00:00:00:77");
    let bad = complaints(&network.modlb, "");
    let seen = "answers at 02:00:00:00:00:77, its frames are expected from 02:00:00:00:00:02";
    let moved = bad.iter().find(|finding| finding.subject == "10.0.0.2").unwrap();
    assert_eq!((moved.level.as_str(), moved.seen.as_str()), ("failure", seen));
    run(moved);
    assert!(complaints(&network.modlb, "").iter().all(|finding| finding.check != "balancers"));
}
