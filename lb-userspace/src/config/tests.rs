use ipnet::IpNet;
use lb_common::mac::Mac;
use proptest::prelude::*;

use super::{
    file::{parse, read, read_back, write},
    model::{
        Config, Direction, Formula, Fragments, Group, Health, PeerMac, Role, Selection, Server, ServerMac, Service,
        State, Vlan,
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
        max_hand_ons: None,
        peers: Vec::new(),
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
    parse(text).expect_err(text).texts()
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
            "address = \"169.254.1.1\"",
            "server 169.254.1.1: this is a link-local address, of which each interface has its own; give an address that \
             only one host has",
        ),
        (
            "address = \"0.1.2.3\"",
            "server 0.1.2.3: this is an address of this network (0.0.0.0/8), which cannot be a server's",
        ),
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
        (
            "\"203.0.113.10\"",
            "\"255.255.255.255\"",
            "address 255.255.255.255 is the broadcast address, which cannot be a service's",
        ),
        (
            "\"203.0.113.10\"",
            "\"169.254.0.1\"",
            "address 169.254.0.1 is a link-local address, which cannot be a service's",
        ),
        ("\"203.0.113.10\"", "\"fe80::1\"", "address fe80::1 is a link-local address, which cannot be a service's"),
        (
            "\"203.0.113.10\"",
            "\"fe80::/10\"",
            "address fe80::/10: each is a link-local address, which cannot be a service's",
        ),
        (
            "\"203.0.113.10\"",
            "\"224.0.0.0/4\"",
            "address 224.0.0.0/4: each is a multicast address, which cannot be a service's",
        ),
        (
            "\"203.0.113.10\"",
            "\"::ffff:203.0.113.10\"",
            "address ::ffff:203.0.113.10 is an IPv4 address written as IPv6 (IPv4-mapped), which cannot be a service's",
        ),
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
        "interfaces: eth0 listed twice",
        "role \"router\" is not known; it is \"balancer\" or \"member\" or \"steer\" or \"keep\"",
        "service web: server 10.0.0.1: weight 0 is not from 1 to 65536",
        "service web: server x: not an IP address",
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
        let message = parse(text).expect_err(text).to_string();
        assert!(message.contains("line") && message.contains(culprit), "{message}");
    }
}

/// A line for each problem: its place and its text.
fn lines(text: &str) -> Vec<String> {
    parse(text).expect_err(text).in_file("f").to_string().lines().map(str::to_owned).collect()
}

#[test]
fn ten_mistakes_of_all_sorts_are_ten_lines() {
    let text = "\
interfaces = [\"eth0\", \"far-too-long-a-name\"]
rolle = \"balancer\"
promiscuous = yes
peers = [
  \"10.0.0.2\",
  \"lb3\",
]

[[service]]
name = \"web\"
address = \"203.0.113.10\"
protocol = \"tcp\"
port = \"443\"
check = { kind = \"tcp\", rise = 0 }

  [[service.server]]
  address = \"10.0.0.11\"
  wieght = 2

  [[service.server]]
  address = \"10.0.0.11\"

[[service]]
name = \"web\"
address = \"fd00::1\"
protocol = 5.5
port = 53

  [[service.server]]
  mac = \"02:00\"
";
    let places: Vec<_> = lines(text).iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect();
    let expected = ["1:23", "2:1", "3:15", "6:3", "13:8", "14:25", "18:3", "21:3", "24:1", "26:12", "29:3", "30:3"];
    assert_eq!(places, expected.map(|place| format!("f:{place}")), "{:#?}", lines(text));
}

#[test]
fn what_follows_from_another_mistake_is_no_mistake() {
    for (text, expected) in [
        // The protocol is there, but not readable.
        (SERVICE.replace("\"tcp\"", "6.5"), "f:4:12: "),
        (SERVICE.replace("protocol", "protokol"), "f:4:1: unknown key `protokol`"),
        (SERVICE.replace("name", "namex"), "f:2:1: unknown key `namex`"),
        (SERVICE.replace("\"web\"", "5"), "f:2:8: name: invalid type: integer `5`, expected a string"),
        (SERVICE.replace("\"203", "203"), "f:3:"),
        (format!("{SERVICE}check = {{ knd = \"tcp\" }}"), "f:6:11: unknown key `knd`"),
        (format!("rol = \"member\"\nself = \"10.0.0.1\"\n{SERVICE}"), "f:1:1: unknown key `rol`"),
    ] {
        let found = lines(&text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}{found:#?}");
    }
    // These are two.
    let text = "[[service]]\nspeed = 1\naddress = \"203.0.113.10\"";
    assert_eq!(lines(text).len(), 2, "{:#?}", lines(text));
}

#[test]
fn an_error_of_syntax_hides_only_its_own_table() {
    for broken in
        ["port = = 1", "port", "port = 1 2", "port = \"1", "[[service.server]", "port = 1\nport = 2", "port = 08"]
    {
        let text = format!(
            "speed = 1\n{SERVICE}\n[[service]]\nname = \"b\"\n{broken}\n[[service]]\nname = \"c\"\naddress = \"x\"\n"
        );
        let found = lines(&text);
        let other = |part: &str| found.iter().filter(|line| line.contains(part)).count();
        assert_eq!((other("speed"), other("service c: address \"x\"")), (1, 1), "{text}{found:#?}");
        assert!(other("not TOML") >= 1, "{text}{found:#?}");
    }
}

#[test]
fn errors_name_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.toml");
    assert!(read(&path).unwrap_err().to_string().starts_with(&path.display().to_string()));
    std::fs::write(&path, "x").unwrap();
    assert!(read(&path).unwrap_err().to_string().starts_with(&path.display().to_string()));
    std::fs::write(&path, b"# caf\xc3\xa9\nx = \"\xff\"").unwrap();
    assert_eq!(
        read(&path).unwrap_err().to_string(),
        format!("{}:2:6: not UTF-8: a configuration is text", path.display())
    );
    std::fs::write(&path, EXAMPLE).unwrap();
    assert_eq!(read(&path).unwrap(), parse(EXAMPLE).unwrap());
}

/// A rollback must succeed though the rules have become stricter since.
#[test]
fn what_was_in_force_reads_back_whatever_the_rules_are() {
    let mut config = parse(&format!("{SERVICE}[[service.server]]\naddress = \"10.0.0.1\"\n")).unwrap();
    config.services[0].address = "169.254.0.1/32".parse().unwrap();
    config.services[0].servers[0].address = "169.254.0.2".parse().unwrap();
    config.interfaces.push("a-name-that-is-too-long".to_owned());
    assert!(config.validate().is_err() && parse(&write(&config)).is_err());
    assert_eq!(read_back(&write(&config), None).unwrap(), config);
    for text in ["x = 1", "[[service]]\nname = \"web\"", "interfaces = 5", "["] {
        assert!(read_back(text, None).is_err(), "{text}");
    }
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
    /// What is written reads back, except for MACs and ids of namespaces that were found.
    #[test]
    fn what_is_written_parses_back(config in testing::config()) {
        let mut expected = config.clone();
        for server in expected.services.iter_mut().flat_map(|service| &mut service.servers) {
            if matches!(server.mac, ServerMac::Resolved { .. }) {
                server.mac = ServerMac::Unresolved;
            }
        }
        expected.peers.iter_mut().for_each(|peer| peer.mac = PeerMac::Unresolved);
        expected.services.iter_mut().filter_map(|it| it.sockets.as_mut()).for_each(|sockets| sockets.id = None);
        prop_assert!(config.validate().is_ok());
        prop_assert_eq!(parse(&write(&config)).unwrap(), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text);
    }
}

#[test]
fn a_file_without_servers_says_whether_that_is_meant() {
    let service = "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\n";
    for empty in ["", service] {
        assert!(!super::file::is_empty_on_purpose(empty));
        assert!(super::file::is_empty_on_purpose(&format!("empty = true\n{empty}")));
        assert!(!super::file::is_empty_on_purpose(&format!("empty = false\n{empty}")));
        // What is written of such a configuration says so.
        let written = super::file::write(&super::file::parse(empty).unwrap());
        assert!(super::file::is_empty_on_purpose(&written), "{written}");
        assert_eq!(super::file::parse(&written).unwrap(), super::file::parse(empty).unwrap());
    }
    let server = format!("{service}[[service.server]]\naddress = \"10.0.0.1\"\n");
    assert!(!super::file::write(&super::file::parse(&server).unwrap()).contains("empty"));
    let error = super::file::parse(&format!("empty = true\n{server}")).unwrap_err().to_string();
    assert_eq!(error, "line 1: empty = true says that there is no server, and there are some; leave it out");
}
