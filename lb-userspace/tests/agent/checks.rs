//! Health checks.

use std::{fmt::Write as _, net::IpAddr, path::PathBuf, thread, time::Duration};

use crate::{
    load::{client_at, clients, undisturbed, until_received},
    need_root,
    process::{Agent, becomes, on_eth0, replace, server},
    support::{
        namespace::Namespace,
        network::{Network, SERVICES, name, server_address},
        wait::wait,
    },
};

const SERVERS: u8 = 3;

/// The server that fails.
const ONE: u8 = 1;

const INTERVAL: Duration = Duration::from_millis(400);
const FALL: u32 = 2;

/// By how much a busy machine may be late. Far less than what a check with its default settings takes to fail.
const LATE: Duration = Duration::from_secs(5);

fn check(kind: &str, more: &str) -> String {
    format!("check = {{ kind = \"{kind}\", interval = 0.4, timeout = 0.3, fall = {FALL}{more} }}")
}

fn one(service: IpAddr) -> (&'static str, IpAddr) {
    (name(service), server_address(service.is_ipv6(), ONE))
}

/// An agent that checks all servers in this way, and its file.
fn checking(network: &Network, check: &str, arguments: &str) -> (PathBuf, Agent) {
    Agent::with_file(&network.modlb, &on_eth0(&network.configuration(SERVERS, check)), arguments)
}

/// The namespace of the server that fails.
fn failing_server(network: &Network) -> &Namespace {
    network.server_namespaces().nth(ONE.into()).unwrap()
}

/// Lets a server reject or drop packets to the checked port.
fn close(server: &Namespace, how: &str) {
    server.run("nft", "add table inet closed");
    server.run("nft", "add chain inet closed in { type filter hook input priority 0 ; }");
    server.run("nft", &format!("add rule inet closed in tcp dport 80 {how}"));
}

/// The flows of an unplugged server move in time, and return; no others do.
#[test]
fn only_flows_of_an_unplugged_server_move() {
    need_root!();
    for (kind, more) in [("tcp", ", port = 80"), ("icmp", "")] {
        let network = Network::new(SERVERS, 8);
        network.pass(true);
        let (_, agent) = checking(&network, &check(kind, more), "--mode native");
        let others: Vec<_> = clients(&network).into_iter().filter(|client| client.home != ONE).collect();
        let theirs = SERVICES.map(|service| (service, client_at(&network, SERVERS, ONE, service)));
        let failing = failing_server(&network);
        undisturbed(&network, &others, || {
            for (service, client) in theirs {
                failing.ip("link set eth0 down");
                let took = until_received(&network, client, service, &[0, 2]);
                eprintln!("{kind}, {}: flows moved after {took:?}", name(service));
                assert!(took <= INTERVAL * FALL + LATE, "{took:?}\n{}", agent.log());
                let (service, address) = one(service);
                let shown = server(&network.modlb, service, address);
                assert_eq!(shown["state"], "failing", "{shown}");
                assert!(shown["reason"].is_string() && shown["since"].is_u64(), "{shown}");
                // The state is exported only if it was set by hand.
                assert!(!network.modlb.ok("export").contains("state"));
                failing.ip("link set eth0 up");
                failing.ip("addr replace fd00::c/64 dev eth0 nodad");
                for (service, client) in theirs {
                    let took = until_received(&network, client, service, &[ONE]);
                    eprintln!("{kind}, {}: flows came back after {took:?}", name(service));
                }
            }
        });
        agent.logs("failing, was up");
        agent.logs("up, was failing");
    }
}

/// A failing server stays down when the agent ends, until it passes the checks of the next agent.
#[test]
fn failing_outlives_the_agent() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    let (file, agent) = checking(&network, &check("tcp", ", port = 80"), "");
    let (service, address) = one(SERVICES[0]);
    let failing = failing_server(&network);
    close(failing, "reject with tcp reset");
    becomes(&network.modlb, service, address, "failing");
    let before = server(&network.modlb, service, address);
    assert_eq!(before["reason"], "connection refused");
    agent.stop();
    assert_eq!(server(&network.modlb, service, address), before);
    // A command that changes something else keeps the state.
    network.modlb.ok(&format!("server down {service} {}", server_address(false, 0)));
    assert_eq!(server(&network.modlb, service, address), before);
    let agent = Agent::start(&network.modlb, &file, "");
    thread::sleep(INTERVAL * 3);
    assert_eq!(server(&network.modlb, service, address), before, "{}", agent.log());
    failing.run("nft", "delete table inet closed");
    becomes(&network.modlb, service, address, "up");
    // Without a check, no server is failing.
    close(failing, "drop");
    becomes(&network.modlb, service, address, "failing");
    assert_eq!(server(&network.modlb, service, address)["reason"], "no answer in time");
    replace(&file, &on_eth0(&network.configuration(SERVERS, "")));
    becomes(&network.modlb, service, address, "up");
}

/// A server that was taken down by hand stays down whether its check passes or fails; and one that is taken up by hand
/// is not up while its check fails.
#[test]
fn down_by_hand_wins_over_the_check() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    let (_, agent) = checking(&network, &check("tcp", ", port = 80"), "");
    let (service, address) = one(SERVICES[0]);
    network.modlb.ok(&format!("server down {service} {address}"));
    thread::sleep(INTERVAL * 4);
    assert_eq!(server(&network.modlb, service, address)["state"], "down", "{}", agent.log());
    let failing = failing_server(&network);
    failing.ip("link set eth0 down");
    thread::sleep(INTERVAL * 4);
    assert_eq!(server(&network.modlb, service, address)["state"], "down");
    assert!(network.modlb.ok("export").contains("state = \"down\""));
    // It is never up meanwhile. If the check has not failed yet on a busy machine, it is taken down again.
    let is_failing = || {
        network.modlb.ok(&format!("server up {service} {address}"));
        let is_failing = server(&network.modlb, service, address)["state"] == "failing";
        if !is_failing {
            network.modlb.ok(&format!("server down {service} {address}"));
        }
        is_failing
    };
    wait(is_failing, || agent.log());
    failing.ip("link set eth0 up");
    becomes(&network.modlb, service, address, "up");
}

/// If too few servers are left, all stay up: more likely the check is wrong.
#[test]
fn all_servers_stay_up_when_too_many_fail() {
    need_root!();
    let network = Network::new(SERVERS, 4);
    let few = check("http", ", port = 80, min_up = 2");
    // No server here speaks HTTP, so every check fails.
    let (file, agent) = checking(&network, &few, "--mode generic");
    agent.logs("its check fails (no whole answer), but too many do (min_up)");
    wait(
        || (0..SERVERS).all(|n| server(&network.modlb, "web4", server_address(false, n))["reason"].is_string()),
        || agent.log(),
    );
    let shown = server(&network.modlb, "web4", server_address(false, 0));
    assert_eq!(shown["state"], "up");
    assert!(shown["reason"].as_str().unwrap().contains("too many do (min_up)"), "{shown}");
    assert!(clients(&network).iter().any(|client| client.home == ONE));
    // Without a minimum, all are down.
    replace(&file, &on_eth0(&network.configuration(SERVERS, &few.replace("min_up = 2", "min_up = 0"))));
    becomes(&network.modlb, "web4", server_address(false, 0), "failing");
    assert_eq!(network.modlb.json("services")[0]["servers"][2]["state"], "failing");
}

#[test]
fn checks_are_exported_as_the_file_has_them() {
    need_root!();
    let network = Network::new(1, 1);
    let mut more = ", port = 8443, path = \"/up\", host = \"www.example.org\", expect = \"200-204\"".to_owned();
    write!(more, ", source = \"10.0.0.1\", rise = 3, min_up = 0").unwrap();
    let mut text = network.configuration(1, "");
    text = text.replacen("\n\n", &format!("\n{}\n", check("https", &more)), 1);
    network.modlb.attach("eth0 --mode generic", &text);
    let exported = network.modlb.ok("export");
    let again = network.modlb.file("again.toml", &exported);
    assert_eq!(network.modlb.ok(&format!("apply {} --dry-run", again.display())), "nothing to change\n", "{exported}");
    assert!(exported.contains("kind = \"https\"") && exported.contains("interval = 0.4"), "{exported}");
    let changed = network.modlb.file("changed.toml", &exported.replace("/up", "/down"));
    let said = network.modlb.ok(&format!("apply {}", changed.display()));
    assert!(said.starts_with("~ service web4: check kind = \"https\", port = 8443, path = \"/up\""), "{said}");
}
