//! Servers behind another interface than the clients.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
};

use crate::{
    HTTP, need_root,
    support::{modlb::Modlb, namespace::Namespace, network::request, wait::PATIENCE},
};

/// A client, a gateway with two interfaces, and one server on the far side.
struct Line {
    // Before the namespaces, so that it is detached first.
    modlb: Modlb,
    _gateway: Namespace,
    client: Namespace,
    server: Namespace,
}

/// For each family: the client, the gateway's two addresses, the server, the service.
const PLAN: [[&str; 5]; 2] = [
    ["10.0.0.2/24", "10.0.0.1/24", "10.1.0.1/24", "10.1.0.11/24", "203.0.113.10"],
    ["fd00::2/64", "fd00::1/64", "fd01::1/64", "fd01::b/64", "2001:db8:f00::10"],
];

fn bare(address: &str) -> IpAddr {
    address.split('/').next().unwrap().parse().unwrap()
}

impl Line {
    fn new() -> Self {
        let [client, gateway, server] = ["client", "gateway", "server"].map(Namespace::new);
        for host in [&client, &gateway, &server] {
            host.within(|| fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
        }
        for (interface, host, last) in [("eth0", &client, 1), ("eth1", &server, 2)] {
            gateway.ip(&format!(
                "link add {interface} address 02:00:00:00:0{last}:01 type veth peer name eth0 netns {}",
                host.name()
            ));
            gateway.ip(&format!("link set {interface} up"));
            host.ip("link set eth0 up");
            host.run("ethtool", "-K eth0 tx off");
        }
        for [client_s, near, far, server_s, service] in PLAN {
            client.ip(&format!("addr add {client_s} dev eth0"));
            gateway.ip(&format!("addr add {near} dev eth0"));
            gateway.ip(&format!("addr add {far} dev eth1"));
            server.ip(&format!("addr add {server_s} dev eth0"));
            server.ip(&format!("addr add {service} dev lo"));
            client.ip(&format!("route add {service} via {}", bare(near)));
            // The gateway routes the answers like any router.
            let family = if bare(far).is_ipv4() { "-4" } else { "-6" };
            server.ip(&format!("{family} route add default via {}", bare(far)));
        }
        for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            gateway.within(|| fs::write(format!("/proc/sys/net/{setting}"), "1").unwrap());
        }
        Self { modlb: Modlb::new(&gateway), _gateway: gateway, client, server }
    }

    /// A veth takes frames from XDP only if its peer has a program.
    fn pass(&self, arguments: &str) {
        for host in [&self.server, &self.client] {
            let mut modlb = Command::new(env!("CARGO_BIN_EXE_modlb"));
            modlb.args(["--netns", host.name(), "dev", "pass", "eth0"]).args(arguments.split_whitespace());
            assert!(modlb.status().unwrap().success());
        }
    }

    /// Answers this many requests with the number 7.
    fn serve(&self, requests: usize) -> Vec<thread::JoinHandle<()>> {
        PLAN.map(|[.., service]| {
            let listener = self.server.within(|| TcpListener::bind(SocketAddr::new(bare(service), 80)).unwrap());
            thread::spawn(move || {
                for _ in 0..requests {
                    let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.read_exact(&mut [0]).unwrap();
                    stream.write_all(&[7]).unwrap();
                }
            })
        })
        .into()
    }
}

fn through_two_interfaces(mode: &str) {
    const REQUESTS: usize = 20;
    let line = Line::new();
    let services = PLAN.map(|[_, _, _, server, service]| {
        let name = if bare(service).is_ipv4() { "web4" } else { "web6" };
        format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{service}\"\n{HTTP}\n[[service.server]]\naddress = \"{}\"\n",
            bare(server)
        )
    });
    if mode == "native" {
        line.pass("");
    }
    line.modlb.attach(&format!("eth0 eth1 --mode {mode}"), &services.concat());
    let servers = line.serve(REQUESTS);
    line.client.within(|| {
        for [client, .., service] in PLAN {
            for _ in 0..REQUESTS {
                let (_, answer) =
                    request(bare(client), bare(service)).unwrap_or_else(|error| panic!("{service}: {error}"));
                assert_eq!(answer, 7);
            }
        }
    });
    servers.into_iter().for_each(|server| server.join().unwrap());
    let stats = line.modlb.json("stats");
    for service in stats["services"].as_array().unwrap() {
        assert!(service["packets"].as_u64() >= Some(3 * REQUESTS as u64), "{service}");
    }
    if mode == "native" {
        line.pass("--remove");
    }
}

#[test]
fn native_forwarding_by_a_second_interface() {
    need_root!();
    through_two_interfaces("native");
}

#[test]
fn generic_forwarding_by_a_second_interface() {
    need_root!();
    through_two_interfaces("generic");
}
