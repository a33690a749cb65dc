use super::*;
use crate::config::file;

fn config(text: &str) -> Config {
    file::parse(&format!("{text}\n[[service.server]]\naddress = \"10.0.0.11\"\nmac = \"02:00:00:00:00:11\"\n")).unwrap()
}

fn connection(client: &str, here: &str) -> Connection {
    Connection { client: client.parse().unwrap(), here: here.parse().unwrap() }
}

fn host(session: Option<Connection>, exposed: bool) -> HostFacts {
    let listening = vec![(TCP, "0.0.0.0:22".parse().unwrap()), (UDP, "10.0.0.1:53".parse().unwrap())];
    let sockets = Sockets { listening, ..Sockets::default() };
    HostFacts { own: vec!["10.0.0.1".parse().unwrap(), "10.0.0.255".parse().unwrap()], sockets, session, exposed }
}

const SESSION: (&str, &str) = ("198.51.100.7:51234", "10.0.0.1:22");

#[test]
fn locking_the_operator_out_is_refused() {
    let session = connection(SESSION.0, SESSION.1);
    let take = config("[[service]]\nname = \"ssh\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 22");
    let verdict = assess(&Config::default(), &take, &host(Some(session), true));
    let refusal = verdict.refusal.unwrap();
    for part in ["service ssh", "198.51.100.7:51234 to 10.0.0.1:22", "--force", "--confirm 60"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    // It may arrive on another interface: a warning.
    let verdict = assess(&Config::default(), &take, &host(Some(session), false));
    assert!(verdict.refusal.is_none() && verdict.warnings[0].contains("if it arrives on an attached interface"));
    // Nothing that is already so is reported.
    assert_eq!(assess(&take, &take, &host(Some(session), true)), Verdict::default());
}

#[test]
fn services_that_do_not_take_the_connection_are_not_reported() {
    let session = connection(SESSION.0, SESSION.1);
    for text in [
        // A prefix, another port, another protocol, another address.
        "[[service]]\nname = \"all\"\naddress = \"0.0.0.0/0\"",
        "[[service]]\nname = \"web\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 443",
        "[[service]]\nname = \"dns\"\naddress = \"10.0.0.1\"\nprotocol = \"udp\"\nport = 22",
        "[[service]]\nname = \"vip\"\naddress = \"203.0.113.10\"",
    ] {
        assert_eq!(assess(&Config::default(), &config(text), &host(Some(session), true)), Verdict::default(), "{text}");
    }
    let mut host = host(Some(session), true);
    host.own.push("10.0.0.11".parse().unwrap());
    let text = "[[service]]\nname = \"own\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 22";
    let verdict = assess(&Config::default(), &config(text), &host);
    assert!(verdict.refusal.is_none(), "its only server is this host");
}

#[test]
fn a_service_without_servers_also_cuts_off() {
    let none = file::parse("[[service]]\nname = \"none\"\naddress = \"10.0.0.1\"").unwrap();
    let verdict = assess(&Config::default(), &none, &host(Some(connection(SESSION.0, SESSION.1)), true));
    assert!(verdict.refusal.unwrap().contains("service none"));
}

#[test]
fn other_connections_and_programs_get_warnings() {
    let warnings = |text: &str| {
        let mut host = host(None, false);
        host.sockets.established =
            vec![connection("192.0.2.9:4000", "10.0.0.1:22"), connection("192.0.2.9:4001", "10.0.0.1:80")];
        assess(&Config::default(), &config(text), &host).warnings
    };
    let all = warnings("[[service]]\nname = \"all\"\naddress = \"10.0.0.1\"");
    assert!(all[0].contains("service all takes the SSH connection 192.0.2.9:4000 to 10.0.0.1:22"), "{all:?}");
    assert!(all[1].contains("on every port"), "{all:?}");
    assert_eq!(all.len(), 2);
    let dns = warnings("[[service]]\nname = \"dns\"\naddress = \"10.0.0.1\"\nprotocol = \"udp\"\nport = 53");
    assert!(dns.len() == 1 && dns[0].contains("a program here listens"), "{dns:?}");
}

#[test]
fn sockets_are_read_from_proc() {
    let mut sockets = Sockets::default();
    // `/proc/net/tcp` of a little-endian machine.
    if cfg!(target_endian = "little") {
        sockets.add(
            TCP,
            "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 00000000:00000000\n   \
             1: 0100000A:0016 076433C6:C822 01 00000000:00000000\n",
        );
        assert_eq!(sockets.listening, [(TCP, "0.0.0.0:22".parse().unwrap())]);
        assert_eq!(sockets.established, [connection("198.51.100.7:51234", "10.0.0.1:22")]);
        sockets
            .add(TCP, "head\n 0: 0000000000000000FFFF00000100000A:0016 0000000000000000FFFF0000076433C6:C822 01 x\n");
        assert_eq!(sockets.established[1], sockets.established[0], "IPv4 on a socket of IPv6");
    }
    assert!(Sockets::read().is_ok());
}

#[test]
fn the_variable_of_ssh_is_parsed() {
    assert_eq!(parse_session("198.51.100.7 51234 10.0.0.1 22"), Some(connection(SESSION.0, SESSION.1)));
    assert_eq!(parse_session("fe80::1%eth0 9 ::ffff:10.0.0.1 22"), Some(connection("[fe80::1]:9", "10.0.0.1:22")));
    assert_eq!(parse_session("198.51.100.7 51234 10.0.0.1"), None);
}
