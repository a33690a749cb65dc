//! What this host cannot do, in network namespaces of the tests' own threads.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use tokio::time::Instant;

use super::{Checks, Target, fault::Fault, tcp};
use crate::{
    config::{
        file,
        model::{Check, Failure},
    },
    observe::{agent_view::Shared, local_error::LocalError},
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs this in a network namespace of its own, as root.
fn in_namespace(test: impl AsyncFnOnce() + Send) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: network namespaces need root");
        return;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            run("ip link set lo up");
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
        });
    });
}

fn run(command: &str) {
    let mut words = command.split_whitespace();
    assert!(Command::new(words.next().unwrap()).args(words).status().unwrap().success(), "{command}");
}

fn check(text: &str) -> Check {
    let text = format!(
        "[[service]]\nname = \"a\"\naddress = \"203.0.113.1\"\nprotocol = \"tcp\"\nport = 1\ncheck = {{ {text} }}"
    );
    file::parse(&text).unwrap().services.remove(0).check.unwrap()
}

async fn try_tcp(to: &str) -> Result<(), Fault> {
    tcp::check(None, SocketAddr::new(to.parse().unwrap(), 80), Instant::now() + PATIENCE).await
}

async fn try_echo(to: &str) -> Result<(), Fault> {
    super::echo::check(None, to.parse().unwrap(), Instant::now() + PATIENCE).await
}

fn local(error: LocalError) -> Result<(), Fault> {
    Err(Fault::Local(error))
}

#[test]
fn routes_of_this_host_are_not_the_servers() {
    in_namespace(async || {
        for server in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(try_tcp(server).await, local(LocalError::NoRoute), "{server}");
            assert_eq!(try_echo(server).await, local(LocalError::NoRoute), "{server}");
            for (kind, expected) in [
                ("unreachable", LocalError::NoRoute),
                ("blackhole", LocalError::NoRoute),
                ("prohibit", LocalError::Denied),
            ] {
                run(&format!("ip route replace {kind} {server}"));
                assert_eq!(try_tcp(server).await, local(expected), "{kind} {server}");
                assert_eq!(try_echo(server).await, local(expected), "{kind} {server}");
                run(&format!("ip route del {kind} {server}"));
            }
        }
    });
}

/// A host that does not answer for its address is a dead server, though this host's kernel says so.
#[test]
fn a_server_that_does_not_answer_arp_is_unreachable() {
    in_namespace(async || {
        run("ip link add v0 type veth peer name v1");
        run("ip link set v0 up");
        run("ip link set v1 up");
        run("ip addr add 192.0.2.1/24 dev v0");
        run("ip addr add 2001:db8::1/64 dev v0 nodad");
        for server in ["192.0.2.2", "2001:db8::2"] {
            assert_eq!(try_tcp(server).await, Err(Failure::Unreachable.into()), "{server}");
        }
    });
}

#[test]
fn a_firewall_of_this_host_is_not_the_servers() {
    in_namespace(async || {
        run("ip link add d0 type veth peer name d1");
        run("ip link set d0 up");
        run("ip link set d1 up");
        run("ip addr add 198.51.100.1/24 dev d0");
        run("ip addr add 2001:db8:1::1/64 dev d0 nodad");
        for reject in ["reject", "reject with icmpx admin-prohibited"] {
            run("nft add table inet own");
            run("nft add chain inet own out { type filter hook output priority 0 ; }");
            run(&format!("nft add rule inet own out tcp dport 80 {reject}"));
            run("nft add rule inet own out icmp type echo-request drop");
            run("nft add rule inet own out icmpv6 type echo-request drop");
            for server in ["198.51.100.2", "2001:db8:1::2"] {
                assert_eq!(try_tcp(server).await, local(LocalError::Denied), "{reject} {server}");
                assert_eq!(try_echo(server).await, local(LocalError::Denied), "{reject} {server}");
            }
            run("nft delete table inet own");
        }
    });
}

#[test]
fn used_up_ports_are_not_the_servers() {
    in_namespace(async || {
        let listener = TcpListener::bind("[::]:80").unwrap();
        fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000").unwrap();
        for server in ["127.0.0.1", "::1"] {
            let held = TcpStream::connect((server.parse::<IpAddr>().unwrap(), 80)).unwrap();
            assert_eq!(try_tcp(server).await, local(LocalError::Ports), "{server}");
            drop((listener.accept().unwrap(), held));
        }
    });
}

/// A connection is closed by a reset: neither it nor the server keeps it.
#[test]
fn attempts_leave_no_connection_behind() {
    in_namespace(async || {
        // Two ports are enough for any number of attempts, one after the other.
        fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").unwrap();
        let listener = TcpListener::bind("[::]:80").unwrap();
        let server = thread::spawn(move || {
            for stream in listener.incoming() {
                use std::io::{Read as _, Write as _};
                let Ok(mut stream) = stream else { continue };
                thread::spawn(move || {
                    let mut request = [0; 1_024];
                    if matches!(stream.read(&mut request), Ok(length) if length > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                    }
                });
            }
        });
        let (tcp, http) = (check("kind = \"tcp\", port = 80"), check("kind = \"http\", port = 80"));
        let sourced = check("kind = \"tcp\", port = 80, source = \"127.0.0.9\"");
        for _ in 0..500 {
            for address in ["127.0.0.1", "::1"] {
                let address: IpAddr = address.parse().unwrap();
                let deadline = Instant::now() + PATIENCE;
                let server = SocketAddr::new(address, 80);
                assert_eq!(tcp::check(tcp.source, server, deadline).await, Ok(()));
                assert_eq!(super::page::ask(&http, server, deadline).await.0, Ok(()));
            }
            let server = SocketAddr::from(([127, 0, 0, 1], 80));
            assert_eq!(tcp::check(sourced.source, server, Instant::now() + PATIENCE).await, Ok(()));
        }
        let waiting = |file: &str| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().filter(|line| line.split_whitespace().nth(3) == Some("06")).count()
        };
        assert_eq!(["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"].map(waiting), [0, 0]);
        drop(server);
    });
}

/// The verdict about a server comes before the first round of another service's thousand silent servers is over.
#[test]
fn silent_servers_do_not_delay_another_services_verdict() {
    in_namespace(async || {
        run("nft add table inet own");
        run("nft add chain inet own in { type filter hook input priority 0 ; }");
        run("nft add rule inet own in tcp dport 81 drop");
        let silent = Arc::new(check("kind = \"tcp\", port = 81, interval = 3, timeout = 3, fall = 1000"));
        let live = Arc::new(check("kind = \"tcp\", port = 80, interval = 0.1, fall = 5"));
        let target = |service: &str, address: [u8; 4], check: &Arc<Check>| Target {
            key: (service.to_owned(), address.into()),
            check: Arc::clone(check),
            port: check.port.unwrap(),
            failing: None,
        };
        let mut targets: Vec<_> =
            (0..4_000_u16).map(|n| target("silent", [127, 1, (n >> 8) as u8, n as u8], &silent)).collect();
        targets.push(target("live", [127, 0, 0, 1], &live));
        let shared = Shared::default();
        let mut checks = Checks::start(Arc::clone(&shared)).unwrap();
        checks.set(targets);
        let verdict = tokio::time::timeout(PATIENCE, checks.verdict()).await.unwrap().unwrap();
        assert_eq!((verdict.key.0.as_str(), verdict.failure), ("live", Some(Failure::Refused)));
        let view = shared.read().unwrap();
        // They hold all places that they may have; a fifth attempt after 4,000 of 3 s would be much later.
        let ended = view.checks.keys().filter(|(service, _)| service == "silent").count();
        assert!(ended < 4_000, "{ended}");
        assert!(view.lateness.buckets().1 > 0);
    });
}
