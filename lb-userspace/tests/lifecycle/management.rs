//! Services that would take the host's own management connections.

use std::net::{TcpListener, TcpStream};

use crate::{Gateway, need_root};

/// A service at the gateway's own address.
fn own(address: &str, what: &str) -> String {
    let server = if address.contains(':') { "fd00::11" } else { "10.0.0.11" };
    format!(
        "[[service]]\nname = \"own\"\naddress = \"{address}\"\n{what}\n[[service.server]]\naddress = \"{server}\"\nmac = \
         \"02:00:00:00:02:11\"\n"
    )
}

const SSH: &str = "protocol = \"tcp\"\nport = 22";

/// The gateway, and a command that came over SSH.
struct Session(Gateway);

impl Session {
    fn new() -> Self {
        let gateway = Gateway::new();
        gateway.namespace.ip("addr add fd00::1/64 dev eth0 nodad");
        Self(gateway)
    }

    /// Runs a command as if given over this SSH connection: whether it succeeds, and its messages.
    fn run(&self, connection: &str, arguments: &str) -> (bool, String) {
        let mut command = self.0.modlb.command(arguments);
        let output = command.env("SSH_CONNECTION", connection).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }
}

const BY_ETH0: [(&str, &str); 2] =
    [("10.0.0.1", "10.0.0.7 51234 10.0.0.1 22"), ("fd00::1", "fd00::7 51234 fd00::1 22")];

#[test]
fn a_change_that_would_lock_its_user_out_is_refused() {
    need_root!();
    for (address, connection) in BY_ETH0 {
        let session = Session::new();
        let modlb = &session.0.modlb;
        let file = modlb.file("own.toml", &own(address, SSH));
        let attach = format!("attach eth0 --mode generic --config {}", file.display());
        let (done, said) = session.run(connection, &attach);
        assert!(!done && said.starts_with("error: service own takes the SSH connection"), "{said}");
        assert!(said.contains("use --force"), "{said}");
        assert!(!modlb.pins().exists(), "something is left of it");

        // Another port than the session's.
        modlb.attach("eth0 --mode generic", &own(address, "protocol = \"tcp\"\nport = 443"));
        let before = modlb.json("status");
        let (done, said) = session.run(connection, &format!("apply {}", file.display()));
        assert!(!done && said.contains("you would be locked out, so nothing was changed"), "{said}");
        assert_eq!(modlb.json("status"), before);
        let (done, said) = session.run(connection, &format!("apply {} --force", file.display()));
        assert!(done && said.is_empty(), "{said}");
        assert_eq!(modlb.json("status")["services"][0]["port"], 22);
        // A service that is in force already is not reported again.
        let (done, said) = session.run(connection, &format!("apply {}", file.display()));
        assert!(done && said.is_empty(), "{said}");
    }
}

/// A session by another interface, in another namespace, or on standby is not lost now.
#[test]
fn a_session_that_is_not_lost_now_is_a_warning_at_most() {
    need_root!();
    let session = Session::new();
    let file = session.0.modlb.file("own.toml", &own("10.0.0.1", SSH));
    let attach = format!("attach eth0 --mode generic --config {}", file.display());
    for (connection, options, warns) in [
        ("10.0.1.7 51234 10.0.0.1 22", "", true),
        ("10.0.0.7 51234 10.0.0.1 22", "--standby", true),
        ("198.51.100.7 51234 192.0.2.1 22", "", false),
    ] {
        let (done, said) = session.run(connection, &format!("{attach} {options}"));
        assert!(done, "{said}");
        assert_eq!(said.contains("if it arrives on an attached interface while modlb is active"), warns, "{said}");
        session.0.modlb.ok("detach");
    }
}

#[test]
fn other_connections_to_this_host_cause_warnings() {
    need_root!();
    let session = Session::new();
    let Gateway { modlb, namespace } = &session.0;
    let (_listener, _client) = namespace.within(|| {
        let listener = TcpListener::bind("10.0.0.1:22").unwrap();
        let client = TcpStream::connect("10.0.0.1:22").unwrap();
        (listener, client)
    });
    let said = |arguments: String| {
        let output = modlb.output(&arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        text
    };
    let prefix = modlb.file("prefix.toml", &own("0.0.0.0/0", ""));
    assert_eq!(said(format!("attach eth0 --mode generic --config {}", prefix.display())), "", "prefixes spare it");
    let infos = said(format!("apply -v {} --dry-run", prefix.display()))
        + &{
            let other = modlb.file("other.toml", &own("10.0.0.0/24", ""));
            said(format!("-v apply {}", other.display()))
        };
    assert!(infos.contains("info: service own: 10.0.0.0/24 covers this host's address 10.0.0.1"), "{infos}");
    let file = modlb.file("own.toml", &own("10.0.0.1", SSH));
    let warnings = said(format!("apply {}", file.display()));
    assert!(warnings.contains("warn: service own takes the SSH connection 10.0.0.1:"), "{warnings}");
    assert!(warnings.contains("where a program here listens"), "{warnings}");
    let file = modlb.file("all.toml", &own("10.0.0.1", ""));
    assert!(said(format!("apply {}", file.display())).contains("on every port"));
}
