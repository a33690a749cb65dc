//! The agent mends what other programs and the kernel change on interfaces.

use nix::sys::signal::Signal;

use crate::{
    need_root,
    process::{Agent, becomes, server},
    support::{
        namespace::Namespace,
        two_links::{Fate, TwoLinks},
        wait::wait,
    },
};

const FINE: Fate = Fate { right: 24, wrong: 0, lost: 0 };

fn with_agent() -> (TwoLinks, Agent) {
    let links = TwoLinks::new();
    let text = format!("interfaces = [\"eth0\", \"eth1\"]\n{}", TwoLinks::configuration());
    let (_, agent) = Agent::with_file(&links.modlb, &text, "--mode generic");
    recovers(&links, &agent);
    (links, agent)
}

/// Both interfaces balance, and nothing is reported wrong.
fn recovers(links: &TwoLinks, agent: &Agent) {
    wait(
        || {
            links.modlb.json("status")["problems"] == serde_json::json!([])
                && [links.probe(0), links.probe(1)] == [FINE; 2]
        },
        || format!("{:?}\n{}", [links.probe(0), links.probe(1)], agent.log()),
    );
}

#[test]
fn macs_that_change() {
    need_root!();
    let (links, agent) = with_agent();
    for _ in 0..3 {
        for (name, mac) in [("eth0", "02:00:00:00:00:77"), ("eth1", "02:00:00:00:01:77")] {
            links.namespace.ip(&format!("link set {name} address {mac}"));
            agent.logs(&format!("{name} has a new MAC; its program was replaced"));
        }
        links.namespace.ip("link set eth0 address 02:00:00:00:00:01");
        links.namespace.ip("link set eth1 address 02:00:00:00:01:01");
        recovers(&links, &agent);
    }
    agent.stop();
}

/// The MAC changes while no agent runs.
#[test]
fn a_mac_that_changed_before_the_agent_started() {
    need_root!();
    let links = TwoLinks::new();
    links.attach("eth0 eth1");
    links.namespace.ip("link set eth0 address 02:00:00:00:00:77");
    let text = format!("interfaces = [\"eth0\", \"eth1\"]\n{}", TwoLinks::configuration());
    let (_, agent) = Agent::with_file(&links.modlb, &text, "--mode generic");
    agent.logs("eth0 has a new MAC; its program was replaced");
    wait(|| links.modlb.json("status")["problems"] == serde_json::json!([]), || agent.log());
}

#[test]
fn an_interface_that_moves_to_another_namespace_and_back() {
    need_root!();
    let (links, agent) = with_agent();
    let elsewhere = Namespace::new("elsewhere");
    for _ in 0..2 {
        links.namespace.ip(&format!("link set eth1 netns {}", elsewhere.name()));
        becomes(&links.modlb, "four", "10.0.1.12", "unresolved");
        becomes(&links.modlb, "six", "fd00:1::12", "unresolved");
        wait(|| links.probe(0) == FINE, || agent.log());
        wait(|| !elsewhere.run("ip", "link show eth1").contains("xdp"), || agent.log());
        elsewhere.ip(&format!("link set eth1 netns {}", links.namespace.name()));
        links.namespace.ip("link set eth1 up");
        TwoLinks::address(&links.namespace, 1);
        recovers(&links, &agent);
    }
}

#[test]
fn routes_that_move_and_links_that_are_down() {
    need_root!();
    let (links, agent) = with_agent();
    links.namespace.ip("route add 10.0.0.11/32 dev eth1");
    agent.logs("server four 10.0.0.11: it is behind another interface now");
    links.namespace.ip("route del 10.0.0.11/32 dev eth1");
    recovers(&links, &agent);
    links.namespace.ip("link set peer0 down");
    becomes(&links.modlb, "four", "10.0.0.11", "unresolved");
    assert_eq!(server(&links.modlb, "four", "10.0.0.11")["reason"], "eth0 is down");
    wait(|| links.probe(1) == FINE, || agent.log());
    links.namespace.ip("link set peer0 up");
    recovers(&links, &agent);
    links.namespace.ip("link set eth1 down");
    becomes(&links.modlb, "six", "fd00:1::12", "unresolved");
    wait(|| links.probe(0) == FINE, || agent.log());
    links.namespace.ip("link set eth1 up");
    links.namespace.ip("addr replace fd00:1::1/64 dev eth1 nodad");
    links.namespace.ip("neigh replace fd00:1::12 lladdr 02:00:00:00:02:0c dev eth1 nud permanent");
    recovers(&links, &agent);
}

/// Addresses that the host gets later are not taken by a prefix service.
#[test]
fn an_address_within_a_prefix_service() {
    need_root!();
    let links = TwoLinks::new();
    let text = "interfaces = [\"eth0\"]\n[[service]]\nname = \"net\"\naddress = \"10.0.0.0/16\"\nprotocol = \"tcp\"\n\
                port = 80\n[[service.server]]\naddress = \"10.0.0.11\"\nmac = \"02:00:00:00:02:0b\"\n";
    let (_, agent) = Agent::with_file(&links.modlb, text, "--mode generic");
    let outcome = || links.modlb.json("explain 198.51.100.1:1 10.0.0.50:80")["outcome"].clone();
    for _ in 0..2 {
        assert_eq!(outcome(), "forwarded");
        links.namespace.ip("addr add 10.0.0.50/24 dev eth0");
        wait(|| outcome() == "no_service", || agent.log());
        links.namespace.ip("addr del 10.0.0.50/24 dev eth0");
        wait(|| outcome() == "forwarded", || agent.log());
    }
    agent.logs("this host's addresses have changed");
}

/// What no event reports, or what was lost in an overrun, is found by the listing.
#[test]
fn changes_without_an_event() {
    need_root!();
    let (links, agent) = with_agent();
    agent.signal(Signal::SIGSTOP);
    // Far more events than the socket has room for.
    let line = |number: u32| {
        format!("neigh replace 10.0.0.99 lladdr 02:00:00:00:{:02x}:00 dev eth0 nud permanent\n", number % 250)
    };
    let batch = links.modlb.file("batch", &(0..10_000).map(line).collect::<String>());
    links.namespace.ip(&format!("-batch {}", batch.display()));
    links.namespace.ip("link set eth0 address 02:00:00:00:00:77");
    links.namespace.ip("link set eth0 address 02:00:00:00:00:01");
    links.namespace.ip("link set eth1 address 02:00:00:00:01:77");
    agent.signal(Signal::SIGCONT);
    agent.logs("eth1 has a new MAC; its program was replaced");
    links.namespace.ip("link set eth1 address 02:00:00:00:01:01");
    recovers(&links, &agent);
}
