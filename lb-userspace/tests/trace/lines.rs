//! Reports match what happened: each event by itself, and all of them compared with the counters.

use std::collections::BTreeMap;

use lb_common::table::Counter;
use lb_userspace::config::{file, model::Role};
use num_bigint::BigUint;
use serde_json::Value;

use crate::{
    SERVICES, Tracing, config, events, frames, need_root,
    random::Random,
    summary,
    support::{
        bench::{Bench, Counters},
        frame::{TCP, UDP, ip, ports, to_gateway},
    },
};

const FRAMES: u32 = 1_500;

/// Packets and bytes of the reported packets, by the counter's name.
fn counted(events: &[Value]) -> Counters {
    let mut counters = Counters::new();
    for event in events {
        let bytes = event["length"].as_u64().unwrap();
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        let mut names = vec![format!("outcome {}", text("outcome").unwrap())];
        if let (Some(service), Some(server)) = (text("service"), text("server")) {
            names.push(format!("server {server} of {service}"));
            names.push(format!("service {service}"));
        }
        for name in names {
            *counters.entry(name).or_default() += Counter { packets: 1, bytes };
        }
    }
    counters
}

/// The event's arithmetic, done once more.
fn check_arithmetic(event: &Value) {
    let number = |key: &str| event[key].as_u64().unwrap();
    let address = |key: &str| match event[key].as_str().unwrap().parse().unwrap() {
        std::net::IpAddr::V4(address) => BigUint::from(address.to_bits()),
        std::net::IpAddr::V6(address) => BigUint::from(address.to_bits()),
    };
    let mut sum = address("source") + address("destination") + number("destination_port");
    if event["formula"] == "5-tuple" {
        let protocol = event["protocol"].as_str().unwrap();
        sum += number("source_port");
        sum += u32::from(lb_userspace::config::protocol::parse_protocol(protocol).unwrap());
    }
    assert_eq!(event["sum"], sum.to_string(), "{event}");
    if !event["slot"].is_null() {
        assert_eq!(sum % number("slots"), BigUint::from(number("slot")), "{event}");
    }
}

fn tell(bench: &mut Bench, role: Role, seed: u64) {
    let mut random = Random::new(seed);
    let mut met = BTreeMap::<String, u64>::new();
    for round in 0..8 {
        let configuration = config::any(&mut random, role);
        bench.apply("empty = true");
        bench.apply(&file::write(&configuration));
        let frames: Vec<_> = (0..FRAMES).map(|_| frames::any(&mut random, &configuration)).collect();
        let tracing = Tracing::start(&bench.modlb, "trace --json");
        bench.follow();
        let before = bench.counters();
        frames.iter().for_each(|frame| drop(bench.run(frame)));
        let after = bench.counters();
        let (out, said) = tracing.end(&bench.modlb);
        let events = events(&out);
        assert_eq!(summary(&said), [FRAMES.into(), FRAMES.into(), 0], "{said}");
        let mut wanted = Counters::new();
        for (name, now) in after {
            let was = before.get(&name).copied().unwrap_or_default();
            let moved = Counter { packets: now.packets - was.packets, bytes: now.bytes - was.bytes };
            if moved.packets > 0 {
                wanted.insert(name, moved);
            }
        }
        assert_eq!(counted(&events), wanted, "seed {seed}, round {round}");
        events.iter().filter(|event| !event["sum"].is_null()).for_each(check_arithmetic);
        for event in &events {
            *met.entry(event["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(met.len() >= 8, "only {met:?}");
}

#[test]
fn a_balancers_packets_are_reported() {
    need_root!();
    tell(&mut Bench::new(""), Role::Balancer, 11);
}

#[test]
fn a_members_packets_are_reported() {
    need_root!();
    tell(&mut Bench::new("role = \"member\""), Role::Member, 12);
}

/// A name and a counter change owners; each event has those of its time.
#[test]
fn names_are_those_at_the_time_of_the_packet() {
    need_root!();
    let service = |name: &str, server: &str| {
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\n\
             server = [{{ address = \"{server}\", mac = \"02:00:00:00:00:11\" }}]\n"
        )
    };
    let names = [("one", "10.0.0.11"), ("two", "10.0.0.12"), ("three", "10.0.0.13"), ("four", "10.0.0.14")];
    let mut bench = Bench::new(&service(names[0].0, names[0].1));
    let tracing = Tracing::start(&bench.modlb, "trace --json");
    bench.follow();
    let frame = to_gateway(&ip([198, 51, 100, 7].into(), [203, 0, 113, 10].into(), TCP, &ports(1, 80)));
    for (name, server) in names {
        bench.apply(&service(name, server));
        (0..5).for_each(|_| drop(bench.run(&frame)));
    }
    let (out, _) = tracing.end(&bench.modlb);
    let told: Vec<_> = events(&out)
        .iter()
        .map(|event| (event["service"].as_str().unwrap().to_owned(), event["server"].as_str().unwrap().to_owned()))
        .collect();
    let wanted: Vec<_> =
        names.iter().flat_map(|(name, server)| vec![((*name).to_owned(), (*server).to_owned()); 5]).collect();
    assert_eq!(told, wanted);
}

/// A line for people.
#[test]
fn lines_are_readable() {
    need_root!();
    let mut bench = Bench::new(SERVICES);
    let tracing = Tracing::start(&bench.modlb, "trace");
    bench.follow();
    let client = std::net::IpAddr::from([198, 51, 100, 7]);
    for (destination, protocol, port) in
        [("203.0.113.10", TCP, 80), ("203.0.113.11", UDP, 9), ("203.0.113.10", TCP, 81)]
    {
        bench.run(&to_gateway(&ip(client, destination.parse().unwrap(), protocol, &ports(51_234, port))));
    }
    let (out, said) = tracing.end(&bench.modlb);
    let sum = 0xc633_6407_u64 + 0xcb00_710a + 80;
    let wanted = [
        format!(
            "eth0  tcp   198.51.100.7:51234 -> 203.0.113.10:80     web4  {sum} % 3 = {}    10.0.0.1{}   forwarded",
            sum % 3,
            1 + sum % 3
        ),
        "eth0  udp   198.51.100.7:51234 -> 203.0.113.11:9      empty  -                     -           no_server"
            .to_owned(),
        "eth0  tcp   198.51.100.7:51234 -> 203.0.113.10:81     -      -                     -           no_service"
            .to_owned(),
    ];
    // The time stands before it.
    let lines: Vec<_> = out.lines().map(|line| line[17..].to_owned()).collect();
    assert_eq!(lines, wanted);
    assert_eq!(said, "3 packets seen, 3 shown, 0 lost\n");
}
