use ipnet::IpNet;
use lb_common::mac::Mac;
use proptest::prelude::*;

use super::{
    ConfigError,
    file::{parse, read, write},
    model::{
        Config, Direction, Formula, Fragments, Group, Health, Role, Selection, Server, ServerMac, Service, State, Vlan,
    },
    testing,
};

const EXAMPLE: &str = r#"
interfaces = ["eth0"]
role = "balancer"

[[service]]
name = "web"
address = "203.0.113.10"
protocol = "tcp"
port = 443
formula = "3-tuple"
selection = "modulo"
fragments = "pass"

[[service.server]]
address = "10.0.0.11"
mac = "02:00:00:00:00:11"
weight = 1
state = "up"

[[service.server]]
address = "10.0.0.12"
weight = 3
state = "down"
vlan = 20

[[service.server]]
address = "10.0.0.13"
vlan = 0

[[service]]
name = "ipsec"
address = "2001:db8:f00::10"
protocol = 50
formula = "5-tuple"
selection = "resilient"
slots = 251
fragments = "balance"
"#;

#[test]
fn every_key_is_read() {
    let server = |last, mac, vlan, weight, state| Server {
        address: [10, 0, 0, last].into(),
        mac,
        vlan,
        weight,
        state,
        health: Health::default(),
    };
    let web = Service {
        protocol: Some(6),
        port: Some(443),
        formula: Formula::ThreeTuple,
        selection: Selection::Modulo,
        fragments: Fragments::Pass,
        direction: Direction::Forward,
        servers: vec![
            server(11, ServerMac::Given(Mac([2, 0, 0, 0, 0, 0x11])), None, 1, State::Up),
            server(12, ServerMac::Unresolved, Some(Vlan::Tagged(20)), 3, State::Down),
            server(13, ServerMac::Unresolved, Some(Vlan::Untagged), 1, State::Up),
        ],
        ..testing::plain("web", "203.0.113.10/32".parse().unwrap())
    };
    let ipsec = Service {
        protocol: Some(50),
        formula: Formula::FiveTuple,
        selection: Selection::Resilient { slots: 251 },
        fragments: Fragments::Balance,
        ..testing::plain("ipsec", "2001:db8:f00::10/128".parse().unwrap())
    };
    let expected = Config {
        interfaces: vec!["eth0".to_owned()],
        role: Role::Balancer,
        group: Group::default(),
        services: vec![web, ipsec],
    };
    assert_eq!(parse(EXAMPLE).unwrap(), expected);
}

#[test]
fn defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
    let config =
        parse("[[service]]\nname = \"all\"\naddress = \"203.0.113.10/32\"\n[[service.server]]\naddress = \"10.0.0.1\"")
            .unwrap();
    let service = &config.services[0];
    assert_eq!((service.protocol, service.port, service.n()), (None, None, 1));
    assert_eq!(service.address, "203.0.113.10/32".parse::<IpNet>().unwrap());
    assert_eq!(
        (service.formula, service.selection, service.fragments),
        (Formula::ThreeTuple, Selection::Modulo, Fragments::Pass)
    );
    assert_eq!((service.servers[0].mac, service.servers[0].state), (ServerMac::Unresolved, State::Up));
}

const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 443\n";

/// The problems of a service with these lines added.
fn problems_of(more: &str) -> Vec<String> {
    problems(&format!("{SERVICE}{more}"))
}

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Err(ConfigError::Invalid(problems)) => problems,
        Err(error) => panic!("{text}\n{error}"),
        Ok(_) => panic!("accepted:\n{text}"),
    }
}

fn server(lines: &str) -> Vec<String> {
    problems_of(&format!("[[service.server]]\n{lines}"))
}

#[test]
fn servers_that_are_refused() {
    let twice = "[[service.server]]\naddress = \"10.0.0.7\"\n".repeat(3);
    assert_eq!(problems_of(&twice), ["service web: server 10.0.0.7 listed twice"]);
    for (lines, expected) in [
        (
            "address = \"10.0.0.7\"\nmac = \"01:00:5e:00:00:01\"",
            "server 10.0.0.7: mac 01:00:5e:00:00:01 is a multicast or broadcast address",
        ),
        (
            "address = \"10.0.0.7\"\nmac = \"ff:ff:ff:ff:ff:ff\"",
            "server 10.0.0.7: mac ff:ff:ff:ff:ff:ff is a multicast or broadcast address",
        ),
        (
            "address = \"10.0.0.7\"\nmac = \"00:00:00:00:00:00\"",
            "server 10.0.0.7: mac 00:00:00:00:00:00 is the zero address",
        ),
        ("address = \"10.0.0.7\"\nweight = 0", "server 10.0.0.7: weight 0 is not from 1 to 65536"),
        ("address = \"10.0.0.7\"\nweight = -1", "server 10.0.0.7: weight -1 is not from 1 to 65536"),
        ("address = \"10.0.0.7\"\nvlan = 4095", "server 10.0.0.7: vlan 4095 is not from 1 to 4094, nor 0 for no tag"),
        ("address = \"10.0.0.7\"\nvlan = -1", "server 10.0.0.7: vlan -1 is not from 1 to 4094, nor 0 for no tag"),
        (
            "address = \"10.0.0.7\"\nstate = \"drain\"",
            "server 10.0.0.7: state \"drain\" is not known; it is \"up\" or \"down\"",
        ),
        ("address = \"224.0.0.1\"", "server 224.0.0.1: this is a multicast address, which cannot be a server's"),
        ("address = \"127.0.0.1\"", "server 127.0.0.1: this is a loopback address, which cannot be a server's"),
        (
            "address = \"203.0.113.10\"",
            "server 203.0.113.10 has the service's own address; give the server's own address",
        ),
        (
            "address = \"fd00::1\"",
            "server fd00::1 is not of the same address family as the service's address 203.0.113.10",
        ),
        ("address = \"ten\"", "server ten: not an IP address"),
        (
            "address = \"255.255.255.255\"",
            "server 255.255.255.255: this is the broadcast address, which cannot be a server's",
        ),
        (
            "address = \"10.0.0.7\"\nmac = \"02:00\"",
            "server 10.0.0.7: mac \"02:00\" is not a MAC address; write it like 02:00:00:00:00:11",
        ),
    ] {
        assert_eq!(server(lines), [format!("service web: {expected}")], "{lines}");
    }
}

#[test]
fn n_is_bounded() {
    let heavy = |weight: u32| {
        format!(
            "[[service.server]]\naddress = \"10.0.0.1\"\nweight = {weight}\n[[service.server]]\naddress = \"10.0.0.2\"\n"
        )
    };
    assert!(parse(&format!("{SERVICE}{}", heavy(65_535))).is_ok());
    let problem = "service web: the weights of the servers make N = 65537, at most 65536 are possible";
    assert_eq!(problems_of(&heavy(65_536)), [problem]);
}

#[test]
fn services_that_are_refused() {
    for (from, to, expected) in [
        ("protocol = \"tcp\"\n", "", "port 443 needs a protocol, such as protocol = \"tcp\""),
        ("\"tcp\"", "\"esp\"", "protocol esp has no ports; leave out port"),
        ("\"tcp\"\nport = 443", "256", "protocol 256 is not from 0 to 255"),
        ("\"tcp\"\nport = 443", "-1", "protocol -1 is not from 0 to 255"),
        ("443", "0", "port 0 is not from 1 to 65535"),
        ("443", "65536", "port 65536 is not from 1 to 65535"),
        ("\"203.0.113.10\"", "\"203.0.113.10/24\"", "address 203.0.113.10/24 has host bits set; write 203.0.113.0/24"),
        ("\"203.0.113.10\"", "\"0.0.0.0\"", "address 0.0.0.0 is the unspecified address, which cannot be a service's"),
        ("\"203.0.113.10\"", "\"::1\"", "address ::1 is a loopback address, which cannot be a service's"),
        ("\"203.0.113.10\"", "\"web\"", "address \"web\" is not an IP address"),
        ("port = 443", "formula = \"4-tuple\"", "formula \"4-tuple\" is not known; it is \"3-tuple\" or \"5-tuple\""),
        ("port = 443", "slots = 251", "slots 251 needs selection = \"resilient\""),
        ("port = 443", "selection = \"resilient\"\nslots = 100", "slots 100 is not a prime; the next one is 101"),
        ("port = 443", "selection = \"resilient\"\nslots = 65537", "slots 65537 is more than 65521"),
    ] {
        assert_eq!(problems(&SERVICE.replacen(from, to, 1)), [format!("service web: {expected}")], "{to}");
    }
    assert_eq!(
        problems("[[service]]\nname = \"a b\"\naddress = \"203.0.113.10\"\nprotocol = \"icmpv6\""),
        [
            "service a b: the name contains white space or characters that cannot be printed",
            "service a b: protocol icmpv6 belongs to IPv6; use icmp with 203.0.113.10"
        ]
    );
    assert_eq!(
        problems("[[service]]\nname = \"\"\naddress = \"2001:db8::1\"\nprotocol = \"icmp\""),
        [
            "service number 1: the name is empty",
            "service number 1: protocol icmp belongs to IPv4; use icmpv6 with 2001:db8::1"
        ]
    );
    let named = |bytes: usize| SERVICE.replacen("web", &"n".repeat(bytes), 1);
    assert!(parse(&named(64)).is_ok());
    let long = format!("service {}: the name has 65 bytes, at most 64 are allowed", "n".repeat(65));
    assert_eq!(problems(&named(65)), [long]);
    assert_eq!(problems("interfaces = [\"\"]"), ["interfaces: a name is empty"]);
}

#[test]
fn a_resilient_service_has_a_slot_for_each_server() {
    let servers: String = (1..=3).map(|host| format!("[[service.server]]\naddress = \"10.0.0.{host}\"\n")).collect();
    let with = |slots: u32| format!("selection = \"resilient\"\nslots = {slots}\n{servers}");
    assert!(parse(&format!("{SERVICE}{}", with(3))).is_ok());
    assert_eq!(problems_of(&with(2)), ["service web: slots 2 is fewer than the 3 servers"]);
}

#[test]
fn services_must_not_conflict() {
    let other = SERVICE.replace("\"web\"", "\"shop\"");
    assert_eq!(
        problems(&format!("{SERVICE}{other}")),
        ["service shop: 203.0.113.10:443/tcp is already the destination of service web"]
    );
    let same_name = SERVICE.replace("443", "444");
    assert_eq!(problems(&format!("{SERVICE}{same_name}")), ["service web: the name is given twice"]);
    let one = format!("{SERVICE}fragments = \"balance\"\n");
    let other = one.replace("\"web\"", "\"shop\"").replace("443", "444");
    assert_eq!(
        problems(&format!("{one}{other}")),
        ["service shop: the fragments to 203.0.113.10/tcp are already balanced by service web"]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = format!(
        "interfaces = [\"eth0\", \"eth0\"]\nrole = \"router\"\n{SERVICE}[[service.server]]\naddress = \"10.0.0.1\"\nweight = 0\n\
         [[service.server]]\naddress = \"x\"\n"
    );
    let expected = [
        "role \"router\" is not known; it is \"balancer\" or \"member\" or \"steer\"",
        "service web: server x: not an IP address",
        "interfaces: eth0 listed twice",
        "service web: server 10.0.0.1: weight 0 is not from 1 to 65536",
    ];
    assert_eq!(problems(&text), expected);
}

#[test]
fn unknown_keys_and_wrong_types_are_named() {
    for (text, culprit) in [
        ("interfaces = [\"eth0\"]\nspeed = 1\n", "speed"),
        (&SERVICE.replace("port", "prot"), "prot"),
        (&format!("{SERVICE}[[service.server]]\naddress = \"10.0.0.1\"\nwieght = 1"), "wieght"),
        (&SERVICE.replace("443", "\"443\""), "443"),
        ("[[service]]\naddress = \"203.0.113.10\"", "name"),
        ("[[service", "service"),
    ] {
        let Err(error @ ConfigError::Syntax { .. }) = parse(text) else { panic!("{text}") };
        let message = error.to_string();
        assert!(message.contains("line") && message.contains(culprit), "{message}");
    }
}

#[test]
fn errors_name_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    assert!(read(&path).unwrap_err().to_string().starts_with(&path.display().to_string()));
    std::fs::write(&path, "x").unwrap();
    assert!(read(&path).unwrap_err().to_string().starts_with(&path.display().to_string()));
    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(read(&path).unwrap(), parse(EXAMPLE).unwrap());
}

#[test]
fn targets_as_text() {
    let target = |address: &str, protocol, port| {
        let mut service = parse(SERVICE).unwrap().services.remove(0);
        (service.address, service.protocol, service.port) = (address.parse().unwrap(), protocol, port);
        service.target()
    };
    assert_eq!(target("203.0.113.10/32", Some(6), Some(443)), "203.0.113.10:443/tcp");
    assert_eq!(target("2001:db8::1/128", Some(17), Some(53)), "[2001:db8::1]:53/udp");
    assert_eq!(target("203.0.113.10/32", Some(50), None), "203.0.113.10/esp");
    assert_eq!(target("2001:db8::1/128", None, None), "2001:db8::1");
    assert_eq!(target("203.0.113.0/24", Some(6), Some(443)), "203.0.113.0/24:443/tcp");
    assert_eq!(target("::/0", Some(17), Some(53)), "[::/0]:53/udp");
}

proptest! {
    /// What is written reads back, except for MACs that were resolved.
    #[test]
    fn what_is_written_parses_back(config in testing::config()) {
        let mut expected = config.clone();
        for server in expected.services.iter_mut().flat_map(|service| &mut service.servers) {
            if matches!(server.mac, ServerMac::Resolved(_)) {
                server.mac = ServerMac::Unresolved;
            }
        }
        prop_assert!(config.validate().is_ok());
        prop_assert_eq!(parse(&write(&config)).unwrap(), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text);
    }
}
