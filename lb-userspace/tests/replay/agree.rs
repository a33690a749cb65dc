//! The loaded program, the command without it, and the oracle: every figure of the same captures.

use std::net::IpAddr;

use lb_userspace::config::{
    file,
    model::{Config, Health, Role, Server, State},
};
use serde_json::Value;

use crate::{Desk, OWN_ADDRESSES, config, expect::Expected, figures, frames, need_root, random::Random};

/// Frames that have to do with a configuration; some come several times, as those of a flow do.
fn some_frames(random: &mut Random, config: &Config, count: usize) -> Vec<Vec<u8>> {
    let mut some: Vec<Vec<u8>> = Vec::with_capacity(count);
    while some.len() < count {
        let again = !some.is_empty() && random.once_in(3);
        let frame = if again { random.pick(&some) } else { frames::any(random, config) };
        some.push(frame);
    }
    some
}

/// A configuration with services and servers enough that something moves.
fn rich(random: &mut Random) -> Config {
    loop {
        let config = config::any(random, Role::Balancer);
        let served = config.services.iter().filter(|service| service.servers.len() > 2).count();
        let addresses = config.services.iter().any(|service| !service.is_prefix());
        if served >= 4 && addresses && config.services.iter().any(|service| service.is_prefix()) {
            return config;
        }
    }
}

fn with_down(config: &Config, server: IpAddr) -> (Option<IpAddr>, Config) {
    let mut config = config.clone();
    for found in config.services.iter_mut().flat_map(|service| &mut service.servers) {
        if found.address == server {
            found.state = State::Down;
        }
    }
    (Some(server), config)
}

/// The last service lost, and every other one with a server more.
fn grown(config: &Config) -> Config {
    let mut config = config.clone();
    config.services.pop();
    for service in &mut config.services {
        // N has a bound.
        let Some(Server { mac, .. }) = service.servers.first().cloned().filter(|_| service.n() < 65_000) else {
            continue;
        };
        let address: IpAddr = if service.address.addr().is_ipv6() { "fd00::999" } else { "10.0.9.99" }.parse().unwrap();
        service.servers.push(Server {
            address,
            mac,
            vlan: None,
            weight: 1,
            state: State::Up,
            health: Health::default(),
        });
    }
    config
}

/// The two servers that take the most packets: with them something moves.
fn busiest(config: &Config, frames: &[Vec<u8>]) -> [IpAddr; 2] {
    let mut counted = Expected::new(config, &[]);
    frames.iter().for_each(|frame| counted.frame(frame));
    counted.busiest()
}

/// A capture, what the oracle says of it, and how to ask.
fn prepare(desk: &Desk, random: &mut Random, count: usize) -> (Expected, String) {
    let config = rich(random);
    let grown = grown(&config);
    let frames = some_frames(random, &config, count);
    let downs = busiest(&config, &frames);
    let others = [with_down(&config, downs[0]), with_down(&config, downs[1]), (None, grown.clone())];
    let mut expected = Expected::new(&config, &others);
    frames.iter().for_each(|frame| expected.frame(frame));
    desk.capture("a.pcap", &frames);
    desk.put("now.toml", file::write(&config));
    desk.put("then.toml", file::write(&grown));
    let arguments = format!(
        "a.pcap --config now.toml --down {} --down {} --against then.toml --own-address {OWN_ADDRESSES}",
        downs[0], downs[1]
    );
    (expected, arguments)
}

fn moved(found: &Value, change: usize) -> u64 {
    found["changes"][change]["flows"]["moved"].as_u64().unwrap()
}

#[test]
fn a_hundred_thousand_packets_agree() {
    need_root!();
    let desk = Desk::new();
    let (expected, arguments) = prepare(&desk, &mut Random::new(7), 100_000);
    let host = desk.json(&format!("{arguments} --without-kernel"));
    expected.assert_found(&host);
    let kernel = desk.json(&arguments);
    assert_eq!(kernel["judged_by"]["kernel"]["packets"], 100_000);
    assert_eq!(host["judged_by"]["host"]["packets"], 100_000);
    assert_eq!(figures(kernel), figures(host.clone()));
    // A comparison of nothing would prove nothing.
    assert!(expected.flows() > 10_000 && expected.met() >= 8, "{host}");
    assert!((0..3).all(|change| moved(&host, change) > 0), "{host}");
    assert!(host["changes"][2]["packets_taken_anew"].as_u64().unwrap() + moved(&host, 2) > 1_000);
}

#[test]
fn many_configurations_agree_without_the_kernel() {
    let desk = Desk::new();
    for seed in 100..112 {
        let (expected, arguments) = prepare(&desk, &mut Random::new(seed), 2_000);
        expected.assert_found(&desk.json(&format!("{arguments} --without-kernel")));
    }
}

#[test]
fn many_configurations_agree_with_the_kernel() {
    need_root!();
    let desk = Desk::new();
    for seed in 200..204 {
        let (expected, arguments) = prepare(&desk, &mut Random::new(seed), 2_000);
        expected.assert_found(&desk.json(&arguments));
    }
}

/// While a server is down, the other servers' flows are where they were.
#[test]
fn only_the_flows_of_a_server_that_goes_down_move() {
    let desk = Desk::new();
    let frames: Vec<_> = (0..3_000).map(|client| crate::web_frame(client % 1_000)).collect();
    desk.capture("a.pcap", &frames);
    desk.put("web.toml", crate::web(&[11, 12, 13, 14, 15]));
    let found = desk.json("a.pcap --config web.toml --down 10.0.0.13 --without-kernel");
    let of = |all, moved| serde_json::json!({"all": all, "moved": moved, "moved_of_others": 0, "unserved": 0});
    assert_eq!((&found["changes"][0]["flows"], &found["changes"][0]["packets"]), (&of(1_000, 200), &of(3_000, 600)));
    // The formula itself: consecutive clients take turns.
    for server in found["services"][0]["servers"].as_array().unwrap() {
        assert_eq!((&server["flows"], &server["packets"], &server["share"]), (&200.into(), &600.into(), &0.2.into()));
    }
    assert_eq!(found["worst"], serde_json::json!({"service": "web", "server": "10.0.0.15", "imbalance": 1.0}));
    // With the only server down no packet is served.
    desk.put("one.toml", crate::web(&[11]));
    let found = desk.json("a.pcap --config one.toml --down 10.0.0.11 --without-kernel");
    assert_eq!(found["changes"][0]["flows"]["unserved"], 1_000);
}
