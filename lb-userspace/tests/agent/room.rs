//! An instance that is too small for what the agent finds out.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    need_root,
    process::{Agent, becomes, on_eth0, server},
    support::{
        namespace::Namespace,
        network::{BULK_PORT, Network, TCP_PORT, server_address},
        wait::wait,
    },
};

const SERVERS: u8 = 4;

/// A service on all servers, which are checked at this port.
fn service(name: &str, last: u8, port: Option<u16>) -> String {
    let check = port.map_or_else(String::new, |port| {
        format!("check = {{ kind = \"tcp\", port = {port}, interval = 0.4, timeout = 0.3, fall = 2 }}\n")
    });
    let mut text = format!("[[service]]\nname = \"{name}\"\naddress = \"203.0.113.{last}\"\n{check}");
    for number in 0..SERVERS {
        text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(false, number));
    }
    text
}

fn close(server: &Namespace, port: u16) {
    server.run("nft", "add table inet closed");
    server.run("nft", "add chain inet closed in { type filter hook input priority 0 ; }");
    server.run("nft", &format!("add rule inet closed in tcp dport {port} reject"));
}

fn open(server: &Namespace) {
    server.run("nft", "delete table inet closed");
}

fn left_out(network: &Network) -> u64 {
    network.modlb.json("status")["capacity"]["left_out"].as_u64().unwrap()
}

/// Three services share a table of four slots, and there is room for one other. Of two findings one is published at
/// once, and the other as soon as there is room.
#[test]
fn an_agent_publishes_what_fits() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    let text = service("a", 20, Some(TCP_PORT)) + &service("b", 21, Some(BULK_PORT)) + &service("c", 22, None);
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&text), "--mode generic --max-slots 11");
    let (one, two) = (server_address(false, 1), server_address(false, 2));
    let servers: Vec<_> = network.server_namespaces().collect();
    close(servers[1], TCP_PORT);
    becomes(&network.modlb, "a", one, "failing");
    assert_eq!(network.modlb.json("status")["capacity"]["refined_slots"], 4);
    agent.logs("instead of 4096, for want of room");

    close(servers[2], BULK_PORT);
    wait(|| left_out(&network) == 1, || format!("nothing is left out:\n{}", agent.log()));
    agent.logs("b 10.0.0.13: its state is not in force");
    assert_eq!(server(&network.modlb, "b", two)["state"], "up");
    assert_eq!(server(&network.modlb, "a", one)["state"], "failing");
    assert!(network.modlb.ok("status").contains("no room: the state of 1 server is not in force"));

    // What is left out keeps nothing else from being published.
    let mac = network.modlb.json("servers")[0]["mac"].as_str().unwrap().to_owned();
    servers[0].ip("link set eth0 address 02:00:00:00:99:01");
    network.gateway.ip("neigh flush dev eth0");
    let moved = || server(&network.modlb, "c", server_address(false, 0))["mac"] != mac.as_str();
    wait(moved, || format!("a new MAC is not published:\n{}", agent.log()));
    assert_eq!(left_out(&network), 1);

    open(servers[1]);
    becomes(&network.modlb, "b", two, "failing");
    wait(|| left_out(&network) == 0, || format!("still left out:\n{}", agent.log()));
    agent.logs("there is room for every finding again");
    becomes(&network.modlb, "a", one, "up");
    agent.stop();
}

/// The server that many services share dies: every service goes on without it, in tables that are as fine as fit.
#[test]
fn an_agent_takes_a_shared_server_out_of_every_service() {
    need_root!();
    let network = Network::new(SERVERS, 1);
    let text: String = (0..60).map(|number| service(&format!("s{number}"), 20 + number, Some(TCP_PORT))).collect();
    let (_, agent) = Agent::with_file(&network.modlb, &on_eth0(&text), "--mode generic --max-slots 8192");
    let one: IpAddr = Ipv4Addr::new(10, 0, 0, 12).into();
    close(network.server_namespaces().nth(1).unwrap(), TCP_PORT);
    let failing = || {
        let servers = network.modlb.json("servers");
        let servers = servers.as_array().unwrap().iter();
        servers.filter(|server| server["address"] == one.to_string() && server["state"] == "failing").count()
    };
    wait(|| failing() == 60, || format!("{} services:\n{}", failing(), agent.log()));
    let capacity = network.modlb.json("status")["capacity"].clone();
    assert_eq!((&capacity["slots"]["used"], &capacity["left_out"]), (&4_096.into(), &0.into()), "{capacity}");
    agent.stop();
}
