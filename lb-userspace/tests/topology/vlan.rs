//! Clients in one VLAN, servers in another and in none: TCP through a trunk to the gateway.
//!
//! ```text
//!                       switch
//!    ┌───────┬────────────┬──────────────┬──────────────────────┐
//!  VLAN 10  trunk      VLAN 20        untagged         VLANs 10, 20 and untagged
//!  client   gateway    server 0       server 1         router, for the servers' answers
//! ```

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener},
    process::Command,
    thread::{self, JoinHandle},
};

use crate::{
    HTTP, need_root,
    support::{
        modlb::Modlb,
        namespace::Namespace,
        network::{SERVICES, name, request},
        vlan_switch::{NATIVE, Port, VlanSwitch},
        wait::PATIENCE,
    },
};

const CLIENTS_VLAN: u16 = 10;
const SERVERS_VLAN: u16 = 20;
const CLIENTS: u8 = 4;
const REQUESTS: usize = 5;

/// The MAC of a host, by its last byte.
fn mac(number: u8) -> String {
    format!("02:00:00:00:00:{number:02x}")
}

/// An address in a VLAN's network.
fn address(six: bool, vlan: u16, host: u8) -> IpAddr {
    let text = if six { format!("fd00:{vlan}::{host:x}") } else { format!("10.{vlan}.0.{host}") };
    text.parse().unwrap()
}

struct Trunk {
    // Before the namespaces, so that it is detached first.
    modlb: Modlb,
    _switch: VlanSwitch,
    client: Namespace,
    servers: [Namespace; 2],
    _gateway: Namespace,
    _router: Namespace,
    segment: Namespace,
}

impl Trunk {
    fn new() -> Self {
        let segment = Namespace::new("switch");
        segment.within(|| fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap());
        let [client, gateway, router] = ["client", "gateway", "router"].map(Namespace::new);
        let servers = ["s0", "s1"].map(Namespace::new);
        for host in [&client, &gateway, &router, &servers[0], &servers[1]] {
            host.within(|| fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
        }
        let plug = |host: &Namespace, label: &str, interface: &str, number: u8| {
            let (name, mac) = (host.name(), mac(number));
            segment.ip(&format!("link add {label} type veth peer name {interface} netns {name} address {mac}"));
            segment.ip(&format!("link set {label} up"));
            host.ip(&format!("link set {interface} up"));
            host.run("ethtool", &format!("-K {interface} tx off"));
        };
        plug(&client, "client", "eth0", 2);
        plug(&gateway, "gateway", "eth0", 1);
        plug(&servers[0], "s0", "eth0", 11);
        plug(&servers[1], "s1", "eth0", 12);
        let routed = [CLIENTS_VLAN, SERVERS_VLAN, NATIVE];
        for (number, vlan) in (0..).zip(routed) {
            plug(&router, &format!("router{vlan}"), &format!("eth{number}"), 0x20 + number);
        }
        addresses(&client, &servers, &router, routed);
        let ports = [
            ("client", Port::Access(CLIENTS_VLAN)),
            ("gateway", Port::Trunk),
            ("s0", Port::Access(SERVERS_VLAN)),
            ("s1", Port::Access(NATIVE)),
            ("router10", Port::Access(CLIENTS_VLAN)),
            ("router20", Port::Access(SERVERS_VLAN)),
            ("router1", Port::Access(NATIVE)),
        ];
        let switch = VlanSwitch::new(&segment, &ports);
        let modlb = Modlb::new(&gateway);
        Self { modlb, _switch: switch, client, servers, _gateway: gateway, _router: router, segment }
    }

    fn configuration() -> String {
        let mut text = String::new();
        for service in SERVICES {
            text += &format!("[[service]]\nname = \"{}\"\naddress = \"{service}\"\n{HTTP}\n", name(service));
            for (server, vlan, number) in [(SERVERS_VLAN, SERVERS_VLAN, 11), (NATIVE, 0, 12)] {
                let (address, mac) = (address(service.is_ipv6(), server, number), mac(number));
                text += &format!("[[service.server]]\naddress = \"{address}\"\nmac = \"{mac}\"\nvlan = {vlan}\n");
            }
        }
        text
    }

    /// Lets the trunk's veth take frames that XDP sends back, or ends that.
    fn pass(&self, arguments: &str) {
        let mut modlb = Command::new(env!("CARGO_BIN_EXE_modlb"));
        modlb.args(["--netns", self.segment.name(), "dev", "pass", "gateway"]).args(arguments.split_whitespace());
        assert!(modlb.status().unwrap().success());
    }

    /// Each server answers requests with its number.
    fn serve(&self, requests: [usize; 2]) -> Vec<JoinHandle<()>> {
        let mut threads = Vec::new();
        for ((number, server), requests) in (0_u8..).zip(&self.servers).zip(requests) {
            for service in SERVICES {
                let listener = server.within(|| TcpListener::bind(SocketAddr::new(service, 80)).unwrap());
                threads.push(thread::spawn(move || {
                    for _ in 0..requests {
                        let (mut stream, _) = listener.accept().unwrap();
                        stream.set_read_timeout(Some(PATIENCE)).unwrap();
                        stream.read_exact(&mut [0]).unwrap();
                        stream.write_all(&[number]).unwrap();
                    }
                }));
            }
        }
        threads
    }
}

fn addresses(client: &Namespace, servers: &[Namespace; 2], router: &Namespace, routed: [u16; 3]) {
    for service in SERVICES {
        let six = service.is_ipv6();
        let length = if six { "64 nodad" } else { "24" };
        for host in 0..CLIENTS {
            client.ip(&format!("addr add {}/{length} dev eth0", address(six, CLIENTS_VLAN, 100 + host)));
        }
        // The gateway has no interface in the clients' VLAN, and need not have one.
        let gateway = address(six, CLIENTS_VLAN, 1);
        client.ip(&format!("neigh add {gateway} lladdr {} dev eth0 nud permanent", mac(1)));
        client.ip(&format!("route add {service} via {gateway}"));
        for ((server, vlan), number) in servers.iter().zip([SERVERS_VLAN, NATIVE]).zip([11, 12]) {
            server.ip(&format!("addr add {}/{length} dev eth0", address(six, vlan, number)));
            server.ip(&format!("addr add {service} dev lo"));
            let family = if six { "-6" } else { "-4" };
            server.ip(&format!("{family} route add default via {}", address(six, vlan, 254)));
        }
        for (number, vlan) in routed.iter().enumerate() {
            router.ip(&format!("addr add {}/{length} dev eth{number}", address(six, *vlan, 254)));
        }
    }
    for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        router.within(|| fs::write(format!("/proc/sys/net/{setting}"), "1").unwrap());
    }
}

fn through_a_trunk(mode: &str) {
    let trunk = Trunk::new();
    trunk.modlb.attach(&format!("eth0 --mode {mode}"), &Trunk::configuration());
    if mode == "native" {
        trunk.pass("");
    }
    let clients = |service: IpAddr| (0..CLIENTS).map(move |host| address(service.is_ipv6(), CLIENTS_VLAN, 100 + host));
    // The clients' addresses are consecutive, so half of the sums are even.
    let each = usize::from(CLIENTS) / 2 * REQUESTS;
    let servers = trunk.serve([each, each]);
    trunk.client.within(|| {
        for service in SERVICES {
            for client in clients(service) {
                for _ in 0..REQUESTS {
                    let (port, answer) = request(client, service).unwrap_or_else(|error| panic!("{client}: {error}"));
                    assert_eq!(answer, crate::expected(client, port, service, "3-tuple", 2), "{client} → {service}");
                }
            }
        }
    });
    servers.into_iter().for_each(|server| server.join().unwrap());
    let stats = trunk.modlb.json("stats");
    assert_eq!(stats["outcomes"]["unreachable"]["packets"], 0);
    for service in stats["services"].as_array().unwrap() {
        for server in service["servers"].as_array().unwrap() {
            assert!(server["packets"].as_u64() >= Some(3 * each as u64), "{server}");
        }
    }
    if mode == "native" {
        trunk.pass("--remove");
    }
}

#[test]
fn native_forwarding_through_a_trunk() {
    need_root!();
    through_a_trunk("native");
}

#[test]
fn generic_forwarding_through_a_trunk() {
    need_root!();
    through_a_trunk("generic");
}
