//! `modlb explain`, from a file alone.

use serde_json::{Value, json};

use crate::{fails, file, ok};

/// Source, destination and protocol; then for each N the remainders of 3-tuple and 5-tuple.
type Vector = (&'static str, &'static str, &'static str, [(u32, u32); 5]);

const N: [u32; 5] = [3, 7, 10, 1_000, 65_521];

#[rustfmt::skip]
const VECTORS: [Vector; 7] = [
    ("198.51.100.7:51234", "203.0.113.10:443", "tcp",
        [(0, 0), (2, 2), (0, 0), (940, 180), (23_089, 8_808)]),
    ("255.255.255.255:65535", "255.255.255.254:65535", "udp",
        [(2, 1), (6, 3), (4, 6), (124, 676), (461, 492)]),
    ("10.0.0.1:1", "10.0.0.2:80", "tcp",
        [(1, 2), (5, 5), (3, 0), (403, 410), (11_362, 11_369)]),
    ("192.0.2.1", "203.0.113.10", "esp",
        [(2, 1), (5, 6), (1, 1), (771, 821), (39_268, 39_318)]),
    ("[2001:db8::7]:51234", "[2001:db8:f00::10]:443", "tcp",
        [(2, 2), (0, 0), (6, 6), (426, 666), (48_413, 34_132)]),
    ("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535", "udp",
        [(2, 1), (6, 3), (4, 6), (444, 996), (7_910, 7_941)]),
    ("[fd00::1]:40000", "[fd00::2]:53", "udp",
        [(1, 1), (2, 0), (2, 9), (512, 529), (49_069, 23_565)]),
];

/// A service for a vector's destination, with `n` servers of which each is as many steps from the first as its number.
fn configuration(destination: &str, protocol: &str, formula: &str, n: u32) -> String {
    let (address, port) = split(destination);
    let port = port.map_or_else(String::new, |port| format!("port = {port}\n"));
    let mut text = format!(
        "[[service]]\nname = \"v\"\naddress = \"{address}\"\nprotocol = \"{protocol}\"\n{port}formula = \"{formula}\"\n"
    );
    // One server of weight N - 1 and one of weight 1 also have N slots; more would only take time.
    for (number, weight) in [(1, n - 1), (2, 1)] {
        let server = if address.contains(':') { format!("fd99::{number}") } else { format!("10.9.9.{number}") };
        text += &format!(
            "[[service.server]]\naddress = \"{server}\"\nmac = \"02:00:00:00:00:0{number}\"\nweight = {weight}\n"
        );
    }
    text
}

fn split(endpoint: &str) -> (&str, Option<&str>) {
    match endpoint.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").map(|(address, port)| (address, Some(port))).unwrap(),
        None => endpoint.split_once(':').map_or((endpoint, None), |(address, port)| (address, Some(port))),
    }
}

fn explain(directory: &tempfile::TempDir, text: &str, arguments: &[&str]) -> Value {
    let path = file(directory, text).display().to_string();
    let found = ok(&[&["explain", "--config", &path, "--json"], arguments].concat());
    serde_json::from_str(&found).unwrap()
}

#[test]
fn known_sums_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    for (source, destination, protocol, expected) in VECTORS {
        for (n, (three, five)) in N.into_iter().zip(expected) {
            for (formula, slot) in [("3-tuple", three), ("5-tuple", five)] {
                let text = configuration(destination, protocol, formula, n);
                let found = explain(&directory, &text, &[source, destination, "--protocol", protocol]);
                let server = if slot == n - 1 { 2 } else { 1 };
                let address =
                    if source.starts_with('[') { format!("fd99::{server}") } else { format!("10.9.9.{server}") };
                assert_eq!(found["slot"], slot, "{source} → {destination}, {formula} % {n}: {found}");
                assert_eq!((&found["n"], &found["slots"]), (&n.into(), &n.into()));
                assert_eq!((&found["outcome"], &found["formula"]), (&"forwarded".into(), &formula.into()));
                assert_eq!(found["server"], address);
                assert_eq!(found["mac"], format!("02:00:00:00:00:0{server}"));
            }
        }
    }
}

#[test]
fn sums_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    let (source, destination, protocol, _) = VECTORS[5];
    let text = configuration(destination, protocol, "5-tuple", 3);
    let found = explain(&directory, &text, &[source, destination, "-p", protocol]);
    // 2·(2^128 - 1) - 1 + 2·65535 + 17
    assert_eq!(found["sum"], "680564733841876926926749214863536553996");
}

#[test]
fn inapplicable_parts_are_null() {
    let directory = tempfile::tempdir().unwrap();
    let down = configuration("203.0.113.10:443", "tcp", "3-tuple", 3).replace("mac", "state = \"down\"\nmac");
    let client = ["198.51.100.7:51234", "203.0.113.10:443"];
    assert_eq!(
        explain(&directory, &down, &client),
        json!({"outcome": "no_server", "service": "v", "formula": "3-tuple", "direction": "forward",
               "sum": "6731060940", "n": 3, "slots": 3, "slot": null, "server": null, "mac": null, "vlan": null,
               "from_peers": null})
    );
    assert_eq!(
        explain(&directory, "", &client),
        json!({"outcome": "no_service", "service": null, "formula": null, "direction": null, "sum": null, "n": null,
               "slots": null, "slot": null, "server": null, "mac": null, "vlan": null, "from_peers": null})
    );
}

/// A file's peers are known by the MACs of the servers that they are.
#[test]
fn a_frame_from_a_peer_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    for (source, destination, peer, other) in [
        ("198.51.100.7:51234", "203.0.113.10:443", "10.9.9.1", "10.9.9.99"),
        ("[2001:db8::7]:51234", "[2001:db8:f00::10]:443", "fd99::1", "fd99::99"),
    ] {
        let services = configuration(destination, "tcp", "3-tuple", 3);
        let text = format!("peers = [\"{peer}\", \"{other}\"]\n{services}");
        let found = |from: &str| explain(&directory, &text, &[source, destination, "--from", from]);
        let from_peer = found("02:00:00:00:00:01");
        let rule = |applies: bool| json!({"outcome": "loop", "macs": ["02:00:00:00:00:01"], "applies": applies});
        assert_eq!((&from_peer["outcome"], &from_peer["from_peers"]), (&"loop".into(), &rule(true)));
        assert!(from_peer["server"].is_null() && from_peer["slot"].is_number(), "{from_peer}");
        let from_client = found("02:00:00:00:00:02");
        assert_eq!((&from_client["outcome"], &from_client["from_peers"]), (&"forwarded".into(), &rule(false)));
    }
}

#[test]
fn the_most_specific_service_wins() {
    let directory = tempfile::tempdir().unwrap();
    let service =
        |name: &str, what: &str| format!("[[service]]\nname = \"{name}\"\naddress = \"203.0.113.10\"\n{what}\n");
    let text =
        [service("all", ""), service("web", "protocol = \"tcp\"\nport = 443"), service("tcp", "protocol = \"tcp\"")]
            .concat();
    for (destination, protocol, name) in [
        ("203.0.113.10:443", "tcp", json!("web")),
        ("203.0.113.10:444", "tcp", json!("tcp")),
        ("203.0.113.10:443", "udp", json!("all")),
        ("203.0.113.10", "47", json!("all")),
        ("203.0.113.11", "47", Value::Null),
    ] {
        let source = if destination.contains(':') { "198.51.100.7:1" } else { "198.51.100.7" };
        assert_eq!(
            explain(&directory, &text, &[source, destination, "-p", protocol])["service"],
            name,
            "{destination}"
        );
    }
}

#[test]
fn the_longest_prefix_wins() {
    let directory = tempfile::tempdir().unwrap();
    let service = |name: &str, address: &str, what: &str| {
        format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\n{what}\n")
    };
    let text = [
        service("world", "0.0.0.0/0", ""),
        service("net", "203.0.113.0/24", "protocol = \"tcp\"\nport = 443"),
        service("web", "203.0.113.10", "protocol = \"tcp\"\nport = 80"),
    ]
    .concat();
    for (destination, name) in [
        ("203.0.113.10:80", json!("web")),
        ("203.0.113.10:443", json!("net")),
        ("203.0.113.10:444", json!("world")),
        ("8.8.8.8:443", json!("world")),
        ("224.0.0.1:443", Value::Null),
    ] {
        assert_eq!(explain(&directory, &text, &["198.51.100.7:1", destination])["service"], name, "{destination}");
    }
}

#[test]
fn the_text_shows_the_arithmetic() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, &configuration("203.0.113.10:443", "tcp", "3-tuple", 3)).display().to_string();
    let text = ok(&["explain", "198.51.100.7:51234", "203.0.113.10:443", "--config", &path]);
    assert!(text.contains("= 6731060940") || text.contains("6731060940 % 3 = 0"), "{text}");
    assert!(text.contains("server   10.9.9.1 at 02:00:00:00:00:01"), "{text}");
}

#[test]
fn impossible_packets_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, &configuration("203.0.113.10:443", "tcp", "5-tuple", 3)).display().to_string();
    for (arguments, error) in [
        (
            &["198.51.100.7:1", "[2001:db8::1]:443"][..],
            "198.51.100.7 and 2001:db8::1 are not of the same address family",
        ),
        (&["198.51.100.7:1", "203.0.113.10"], "tcp packets have ports; write the destination as 203.0.113.10:PORT"),
        (
            &["198.51.100.7", "203.0.113.10:443"],
            "service v counts the source port (5-tuple); write the source as 198.51.100.7:PORT",
        ),
        (&["198.51.100.7:1", "203.0.113.10", "-p", "esp"], "esp has no ports; leave them out"),
        (&["198.51.100.7", "203.0.113.10", "-p", "ospfx"], "unknown protocol \"ospfx\""),
    ] {
        let found = fails(&[&["explain", "--config", &path], arguments].concat(), 1);
        assert!(found.starts_with(&format!("error: {error}")), "{found}");
    }
}

/// What a group's member says of packets in both directions: they are one session's, and one member's.
#[test]
fn both_directions_give_one_server() {
    let directory = tempfile::tempdir().unwrap();
    for own in ["10.9.9.1", "10.9.9.2", "10.9.9.3"] {
        let mut text = format!("role = \"member\"\nself = \"{own}\"\n[[service]]\nname = \"net\"\naddress = ");
        text += "\"203.0.113.0/24\"\ndirection = \"both\"\n";
        for number in 1..4 {
            text += &format!("[[service.server]]\naddress = \"10.9.9.{number}\"\n");
        }
        let (client, server) = ("198.51.100.7:51234", "203.0.113.10:443");
        let there = explain(&directory, &text, &[client, server]);
        let back = explain(&directory, &text, &[server, client]);
        assert_eq!((&there["direction"], &back["direction"]), (&json!("forward"), &json!("reply")));
        for key in ["sum", "slot", "server", "outcome"] {
            assert_eq!(there[key], back[key], "{key}");
        }
        // The first vector's remainder is 0.
        let accepts = if own == "10.9.9.1" { "accepted" } else { "others" };
        assert_eq!((&there["server"], &there["outcome"]), (&json!("10.9.9.1"), &json!(accepts)));
        let path = file(&directory, &text).display().to_string();
        let said = fails(&["explain", "203.0.113.10", client, "--config", &path], 1);
        assert!(said.contains("203.0.113.10:PORT"), "{said}");
    }
}
