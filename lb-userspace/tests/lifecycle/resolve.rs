//! Servers whose MAC nobody gave.

use std::time::{Duration, Instant};

use crate::{
    need_root,
    support::network::{Network, SERVICES, server_address},
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

#[test]
fn a_server_that_does_not_answer_is_an_error_and_changes_nothing() {
    need_root!();
    let network = Network::new(1, 1);
    network.attach("native", &network.configuration(1, HTTP));
    let before = network.modlb.json("status");
    let start = Instant::now();
    let file = network.modlb.file("more.toml", &network.configuration(4, HTTP));
    let error = network.modlb.fails(&format!("apply {}", file.display()));
    assert!(start.elapsed() < Duration::from_secs(3), "one second for all of them, not for each");
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 6, "{error}");
    for (line, (service, number)) in
        lines.iter().zip(SERVICES.into_iter().flat_map(|service| (1..4).map(move |n| (service, n))))
    {
        let name = if service.is_ipv4() { "web4" } else { "web6" };
        let server = server_address(service.is_ipv6(), number);
        assert_eq!(
            *line,
            format!(
                "service {name}: server {server}: no answer on eth0 within 1s; is it up? Give its mac, or say state = \"down\""
            )
        );
    }
    let error = network.modlb.fails("server add web4 10.0.0.99");
    assert!(error.starts_with("service web4: server 10.0.0.99: no answer on eth0"), "{error}");
    let error = network.modlb.fails("server add web4 192.0.2.1");
    assert!(error.starts_with("service web4: server 192.0.2.1: there is no route to 192.0.2.1"), "{error}");
    assert_eq!(network.modlb.json("status"), before);
    // Who says that it is down need not find it.
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
