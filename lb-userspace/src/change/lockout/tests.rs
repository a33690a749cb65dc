use super::*;
use crate::config::file;

fn config(text: &str) -> Config {
    file::parse(&format!("{text}\n[[service.server]]\naddress = \"10.0.0.11\"\nmac = \"02:00:00:00:00:11\"\n")).unwrap()
}

fn connection(client: &str, here: &str) -> Connection {
    Connection { client: client.parse().unwrap(), here: here.parse().unwrap() }
}

fn host(session: Option<Connection>, certain: bool) -> Host {
    let listening = vec![(TCP, "0.0.0.0:22".parse().unwrap()), (UDP, "10.0.0.1:53".parse().unwrap())];
    let sockets = Sockets { listening, ..Sockets::default() };
    Host { own: vec!["10.0.0.1".parse().unwrap(), "10.0.0.255".parse().unwrap()], sockets, session, certain }
}

const SESSION: (&str, &str) = ("198.51.100.7:51234", "10.0.0.1:22");

#[test]
fn who_would_be_locked_out_is_refused() {
    let session = connection(SESSION.0, SESSION.1);
    let take = config("[[service]]\nname = \"ssh\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 22");
    let verdict = judge(&Config::default(), &take, &host(Some(session), true));
    let refusal = verdict.refusal.unwrap();
    for part in ["service ssh", "198.51.100.7:51234 to 10.0.0.1:22", "--force", "--confirm 60"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    // Where it may arrive by another interface, that is said.
    let verdict = judge(&Config::default(), &take, &host(Some(session), false));
    assert!(verdict.refusal.is_none() && verdict.warnings[0].contains("if it arrives by an attached interface"));
    // What is so already is not said again.
    assert_eq!(judge(&take, &take, &host(Some(session), true)), Verdict::default());
}

#[test]
fn what_passes_it_by_is_not_told_of() {
    let session = connection(SESSION.0, SESSION.1);
    for text in [
        // A prefix, another port, another protocol, another address.
        "[[service]]\nname = \"all\"\naddress = \"0.0.0.0/0\"",
        "[[service]]\nname = \"web\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 443",
        "[[service]]\nname = \"dns\"\naddress = \"10.0.0.1\"\nprotocol = \"udp\"\nport = 22",
        "[[service]]\nname = \"vip\"\naddress = \"203.0.113.10\"",
    ] {
        assert_eq!(judge(&Config::default(), &config(text), &host(Some(session), true)), Verdict::default(), "{text}");
    }
    let mut host = host(Some(session), true);
    host.own.push("10.0.0.11".parse().unwrap());
    let text = "[[service]]\nname = \"own\"\naddress = \"10.0.0.1\"\nprotocol = \"tcp\"\nport = 22";
    let verdict = judge(&Config::default(), &config(text), &host);
    assert!(verdict.refusal.is_none(), "its only server is this host");
}

#[test]
fn a_service_without_servers_takes_too() {
    let none = file::parse("[[service]]\nname = \"none\"\naddress = \"10.0.0.1\"").unwrap();
    let verdict = judge(&Config::default(), &none, &host(Some(connection(SESSION.0, SESSION.1)), true));
    assert!(verdict.refusal.unwrap().contains("service none"));
}

#[test]
fn programs_and_other_connections() {
    let warnings = |text: &str| {
        let mut host = host(None, false);
        host.sockets.established =
            vec![connection("192.0.2.9:4000", "10.0.0.1:22"), connection("192.0.2.9:4001", "10.0.0.1:80")];
        judge(&Config::default(), &config(text), &host).warnings
    };
    let all = warnings("[[service]]\nname = \"all\"\naddress = \"10.0.0.1\"");
    assert!(all[0].contains("service all takes the SSH connection 192.0.2.9:4000 to 10.0.0.1:22"), "{all:?}");
    assert!(all[1].contains("on every port"), "{all:?}");
    assert_eq!(all.len(), 2);
    let dns = warnings("[[service]]\nname = \"dns\"\naddress = \"10.0.0.1\"\nprotocol = \"udp\"\nport = 53");
    assert!(dns.len() == 1 && dns[0].contains("a program here listens"), "{dns:?}");
}

#[test]
fn the_kernel_s_list_of_sockets() {
    let mut sockets = Sockets::default();
    // As `/proc/net/tcp` has it on a little-endian machine.
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
fn what_ssh_says_of_itself() {
    assert_eq!(parse_session("198.51.100.7 51234 10.0.0.1 22"), Some(connection(SESSION.0, SESSION.1)));
    assert_eq!(parse_session("fe80::1%eth0 9 ::ffff:10.0.0.1 22"), Some(connection("[fe80::1]:9", "10.0.0.1:22")));
    assert_eq!(parse_session("198.51.100.7 51234 10.0.0.1"), None);
}
