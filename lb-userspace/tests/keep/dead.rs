//! A server that is dead holds no connection: packets of those that it had are answered at once.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    process::{Child, Stdio},
};

use crate::{
    WEB,
    listeners::{Listeners, Pair, info},
    need_root,
    site::{Entry, Lists, Site},
    support::{
        modlb::Modlb,
        network::{SERVICES, name, server_address},
        wait::wait,
    },
};

/// The server that dies.
const DEAD: u8 = 1;

/// A busy machine makes no other server fail.
const CHECK: &str = "check = { kind = \"icmp\", interval = 1, timeout = 1, fall = 5 }";

/// An agent, which is killed on drop.
struct Agent(Child);

impl Agent {
    fn start(modlb: &Modlb, configuration: &str) -> Self {
        let file = modlb.file("agent.toml", configuration);
        let mut command = modlb.command("agent --listen none --config");
        Self(command.arg(file).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The state of the server that dies, in each service.
fn states(modlb: &Modlb) -> Vec<String> {
    let servers = modlb.json("servers");
    let state = |service| {
        let address = server_address(service, DEAD).to_string();
        let found = servers.as_array().unwrap().iter().find(|it| it["address"] == address);
        found.unwrap_or_else(|| panic!("{servers}"))["state"].as_str().unwrap().to_owned()
    };
    [false, true].map(state).into()
}

/// The packet that a client sends next is answered with a reset, although every other server might hold the connection.
#[test]
fn connections_of_a_dead_server_are_reset_within_one_round_trip() {
    need_root!();
    let site = Site::bare(1, 4);
    let listeners = Listeners::new(&site);
    // A second packet would come only after half of a test's patience.
    for service in SERVICES {
        let route = site.client.run("ip", &format!("-{} route show {service}", if service.is_ipv4() { 4 } else { 6 }));
        site.client.ip(&format!("route replace {} rto_min 30s", route.trim()));
    }
    site.client.within(|| std::fs::write("/proc/sys/net/ipv4/tcp_early_retrans", "0").unwrap());
    let what = format!("{WEB}\n{CHECK}");
    let first = Lists::of(0..3);
    site.attach(&first.configuration(&what), Some(""));
    let mut connections = Pair::open_all(&site, &listeners);
    let configuration = first.then((0..4).map(Entry::up).collect()).configuration(&what);
    let hosts = site.keepers.iter().chain(&site.balancers);
    let _agents: Vec<_> = hosts.clone().map(|host| Agent::start(host, &configuration)).collect();
    let alive: Vec<_> =
        hosts.enumerate().filter(|(number, _)| *number != usize::from(DEAD)).map(|(_, host)| host).collect();
    let reach = |wanted: &str| {
        for host in &alive {
            wait(|| states(host).iter().all(|state| state == wanted), || format!("{:?}", states(host)));
        }
    };
    reach("up");
    connections.iter_mut().for_each(Pair::talk);
    site.hosts[usize::from(DEAD)].ip("link set eth0 down");
    reach("failing");

    let before = site.outcome("taken_last");
    let mut reset = [0, 0];
    for Pair { service, client, at, number, .. } in &mut connections {
        if *number == usize::from(DEAD) {
            client.write_all(b"?").unwrap();
            let error = client.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{at} {}: {error}", name(*service));
            assert_eq!(info(client).tcpi_total_retrans, 0, "{at} {}", name(*service));
            reset[usize::from(service.is_ipv6())] += 1;
        }
    }
    assert!(reset.iter().all(|number| *number > 0), "the dead server held {reset:?} connections");
    assert!(site.outcome("taken_last") - before >= reset.iter().sum(), "others than the last server answered");
    connections.iter_mut().filter(|pair| pair.number != usize::from(DEAD)).for_each(Pair::talk);
}
