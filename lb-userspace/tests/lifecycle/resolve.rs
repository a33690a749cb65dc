//! Servers whose MAC nobody gave.

use std::time::{Duration, Instant};

use crate::{
    need_root,
    support::network::{Network, SERVICES, host, name, request, server_address},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn macs_come_from_the_neighbour_table() {
    need_root!();
    let network = Network::new(2, 1);
    network.attach("native", &network.configuration(2, HTTP));
    let status = network.modlb.json("status");
    for service in status["services"].as_array().unwrap() {
        assert_eq!(service["servers"][0]["mac"], "02:00:00:00:00:0b");
        assert_eq!(service["servers"][1]["mac"], "02:00:00:00:00:0c");
    }
    // What was found is not exported as if it had been given.
    assert!(!network.modlb.ok("export").contains("mac"));
}

/// Servers that do not answer are named, with where and what helps, and marked; the others serve. Also by `attach`.
#[test]
fn a_server_that_does_not_answer_does_not_keep_others_from_serving() {
    need_root!();
    let network = Network::new(1, 1);
    let text = network.configuration(4, HTTP);
    let file = network.modlb.file("more.toml", &text);
    for command in ["attach eth0 --mode generic --config", "apply"] {
        let start = Instant::now();
        let output = network.modlb.output(&format!("{command} {}", file.display()));
        assert!(output.status.success(), "{output:?}");
        // Loading a program takes its time as well.
        let most = if command == "apply" { 3 } else { 6 };
        assert!(start.elapsed() < Duration::from_secs(most), "one second for all of them, not for each");
        let said = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = said.lines().filter(|line| line.contains("unresolved")).collect();
        assert_eq!(lines.len(), 6, "{said}");
        for (line, (service, number)) in
            lines.iter().zip(SERVICES.into_iter().flat_map(|service| (1..4).map(move |n| (service, n))))
        {
            let (name, server) = (name(service), server_address(service.is_ipv6(), number));
            assert_eq!(
                *line,
                format!(
                    "warn: service {name}: server {server}: no answer on eth0 within 1s; is it up? Give its mac, or say \
                     state = \"down\"; unresolved until then: its flows go to the others"
                )
            );
        }
    }
    let servers = network.modlb.json("servers");
    let states: Vec<_> = servers.as_array().unwrap().iter().map(|server| server["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["up", "unresolved", "unresolved", "unresolved"].repeat(2));
    let (since, reason) = (&servers[1]["since"], &servers[1]["reason"]);
    assert!(since.is_u64() && *reason == "no answer on eth0", "{}", servers[1]);
    for service in SERVICES {
        let client = network.client_addresses(service)[0];
        assert_eq!(network.client.within(|| request(client, service)).unwrap().1, 0);
    }
    // Another change does not wait for them again, nor forget since when they are lost.
    let start = Instant::now();
    network.modlb.ok("server down web4 10.0.0.11");
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    network.modlb.ok("server up web4 10.0.0.11");
    assert_eq!(network.modlb.json("servers")[1], servers[1]);
    // What nobody decided is not exported.
    assert!(!network.modlb.ok("export").contains("state"));

    // Once it is there, `server up` finds it.
    let late = host(&network.switch, "late", 12);
    // Its port of the switch may not forward yet.
    let there = (0..10).any(|_| {
        network.modlb.ok("server up web4 10.0.0.12");
        network.modlb.json("servers")[1]["state"] == "up"
    });
    assert!(there, "{}", network.modlb.json("servers")[1]);
    let found = &network.modlb.json("servers")[1];
    assert_eq!((&found["state"], &found["mac"]), (&"up".into(), &"02:00:00:00:00:0c".into()));
    drop(late);
}

/// Who names one server wants to hear that it is not there.
#[test]
fn a_server_that_is_added_must_be_found() {
    need_root!();
    let network = Network::new(1, 1);
    network.attach("native", &network.configuration(1, HTTP));
    let before = network.modlb.json("status");
    let error = network.modlb.fails("server add web4 10.0.0.99");
    assert!(error.starts_with("service web4: server 10.0.0.99: no answer on eth0"), "{error}");
    let error = network.modlb.fails("server add web4 192.0.2.1");
    assert!(error.starts_with("service web4: server 192.0.2.1: there is no route to 192.0.2.1"), "{error}");
    assert_eq!(network.modlb.json("status"), before);
    network.modlb.ok("server add web4 10.0.0.99 --mac 02:00:00:00:00:99");
    assert_eq!(network.modlb.json("status")["services"][0]["n"], 2);
}

#[test]
fn a_server_behind_a_router_is_refused() {
    need_root!();
    let network = Network::new(1, 1);
    network.gateway.ip("route add 192.0.2.0/24 via 10.0.0.2");
    network.attach("native", &network.configuration(1, HTTP));
    let error = network.modlb.fails("server add web4 192.0.2.1");
    assert!(error.starts_with("service web4: server 192.0.2.1: it is behind the router 10.0.0.2"), "{error}");
}

/// A server that moved is found again; one that went silent keeps the MAC that it had, with a warning.
#[test]
fn apply_looks_again() {
    need_root!();
    let network = Network::new(2, 1);
    let configuration = network.configuration(2, HTTP);
    network.attach("native", &configuration);
    network.gateway.ip("neigh replace 10.0.0.11 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
    let said = network.modlb.apply(&configuration);
    assert_eq!(said, "~ server web4 10.0.0.11: found at 02:00:00:00:00:77, was 02:00:00:00:00:0b\n");
    assert_eq!(network.modlb.json("status")["services"][0]["servers"][0]["mac"], "02:00:00:00:00:77");
    network.gateway.ip("neigh flush all");
    network.gateway.ip("neigh del 10.0.0.11 dev eth0");
    assert!(network.modlb.apply(&configuration).contains("found at 02:00:00:00:00:0b"));
    assert_eq!(network.modlb.apply(&configuration), "nothing to change\n");
}
