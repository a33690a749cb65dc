//! Servers whose MAC the configuration does not give.

use std::time::{Duration, Instant};

use crate::{
    need_root,
    support::{
        network::{Network, SERVICES, host, name, request, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// Servers of a service that are missing. To wait a second for each would take far longer than anything else may.
const MISSING: u8 = 30;

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

/// Servers that do not answer are marked, and named with their interface and what to do; the others serve. So it is
/// with `attach` and `apply`.
#[test]
fn missing_servers_do_not_keep_others_from_serving() {
    need_root!();
    let network = Network::new(1, 1);
    let text = network.configuration(1 + MISSING, HTTP);
    let file = network.modlb.file("more.toml", &text);
    for command in ["attach eth0 --mode generic --config", "apply"] {
        let start = Instant::now();
        let output = network.modlb.output(&format!("{command} {}", file.display()));
        assert!(output.status.success(), "{output:?}");
        let most = Duration::from_secs(u64::from(MISSING));
        assert!(start.elapsed() < most, "it waited for each, not for all of them at once");
        let said = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = said.lines().filter(|line| line.contains("unresolved")).collect();
        assert_eq!(lines.len(), 2 * usize::from(MISSING), "{said}");
        let missing = SERVICES.into_iter().flat_map(|service| (1..=MISSING).map(move |n| (service, n)));
        for (line, (service, number)) in lines.iter().zip(missing) {
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
    assert_eq!(states, [&["up"][..], &["unresolved"; MISSING as usize]].concat().repeat(2));
    let (since, reason) = (&servers[1]["since"], &servers[1]["reason"]);
    assert!(since.is_u64() && *reason == "no answer on eth0", "{}", servers[1]);
    for service in SERVICES {
        let client = network.client_addresses(service)[0];
        assert_eq!(network.client.within(|| request(client, service)).unwrap().1, 0);
    }
    // Another change does not wait a second for them again, and keeps since when they are unresolved. On a busy machine
    // not every command is that fast.
    let takes_less_than_a_second = (0..20).any(|_| {
        let start = Instant::now();
        network.modlb.ok("server down web4 10.0.0.11");
        let took = start.elapsed();
        network.modlb.ok("server up web4 10.0.0.11");
        took < Duration::from_millis(900)
    });
    assert!(takes_less_than_a_second, "it waited for them again");
    assert_eq!(network.modlb.json("servers")[1], servers[1]);
    // The state is exported only if it was set by hand.
    assert!(!network.modlb.ok("export").contains("state"));

    // Once it is there, `server up` finds it.
    let late = host(&network.switch, "late", 12);
    // At first its port of the switch may not forward yet.
    let is_found = || {
        network.modlb.ok("server up web4 10.0.0.12");
        network.modlb.json("servers")[1]["state"] == "up"
    };
    wait(is_found, || network.modlb.json("servers")[1].to_string());
    let found = &network.modlb.json("servers")[1];
    assert_eq!((&found["state"], &found["mac"]), (&"up".into(), &"02:00:00:00:00:0c".into()));
    drop(late);
}

/// A command about one server fails if that server is missing.
#[test]
fn an_added_server_must_be_found() {
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

#[test]
fn apply_finds_a_server_that_moved() {
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
