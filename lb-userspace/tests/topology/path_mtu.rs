//! Path MTU discovery with direct server return: the router's errors go to the service's address, and must reach the
//! server that sent the packet that was too big.

use std::{io::Read as _, net::IpAddr};

use crate::{
    need_root,
    support::{
        namespace::Namespace,
        network::{BULK, BULK_PORT, Network, SERVICES, connect, host},
    },
};

/// The MTU of the link to the clients.
const MTU: u16 = 1_300;

/// Clients in each family.
const CLIENTS: u8 = 4;

/// A router on the segment, and clients behind it.
struct Far {
    clients: Namespace,
    _router: Namespace,
}

impl Far {
    fn new(network: &Network) -> Self {
        let router = host(&network.switch, "router", 3);
        let clients = Namespace::new("far");
        // Only the router has the small MTU; the clients announce the segment size of a full Ethernet frame.
        router.ip(&format!("link add eth1 mtu {MTU} type veth peer name eth0 netns {}", clients.name()));
        clients.ip("link set eth0 mtu 1500 up");
        router.ip("link set eth1 up");
        for (net, router_s, gateway) in
            [("198.51.100", "198.51.100.1/24", "10.0.0.1"), ("2001:db8:c:", "2001:db8:c::1/64", "fd00::1")]
        {
            let nodad = if net.contains(':') { " nodad" } else { "" };
            router.ip(&format!("addr add {router_s} dev eth1{nodad}"));
            let service = if net.contains(':') { SERVICES[1] } else { SERVICES[0] };
            router.ip(&format!("route add {service} via {gateway}"));
        }
        for service in SERVICES {
            for number in 0..CLIENTS {
                let (prefix, nodad) = if service.is_ipv4() { (24, "") } else { (64, " nodad") };
                clients.ip(&format!("addr add {}/{prefix} dev eth0{nodad}", client(service, number)));
            }
        }
        clients.ip("route add default via 198.51.100.1");
        clients.ip("-6 route add default via 2001:db8:c::1");
        for server in network.server_namespaces() {
            server.ip("route add 198.51.100.0/24 via 10.0.0.3");
            server.ip("route add 2001:db8:c::/64 via fd00::3");
        }
        for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            router.within(|| std::fs::write(format!("/proc/sys/net/{setting}"), "1").unwrap());
        }
        Self { clients, _router: router }
    }
}

fn client(service: IpAddr, number: u8) -> IpAddr {
    let text = if service.is_ipv4() {
        format!("198.51.100.{}", 100 + number)
    } else {
        format!("2001:db8:c::{}", 100 + number)
    };
    text.parse().unwrap()
}

#[test]
fn a_large_download_completes() {
    need_root!();
    let network = Network::new(3, 0);
    network.attach("native", &network.configuration(3, "protocol = \"tcp\"\nport = 81"));
    let far = Far::new(&network);
    for service in SERVICES {
        for number in 0..CLIENTS {
            let client = client(service, number);
            let received = far.clients.within(|| {
                let mut received = Vec::new();
                let mut stream =
                    connect(client, service, BULK_PORT).unwrap_or_else(|error| panic!("{client}: {error}"));
                stream
                    .read_to_end(&mut received)
                    .unwrap_or_else(|error| panic!("{client}, after {}: {error}", received.len()));
                received.len()
            });
            assert_eq!(received, BULK, "{client}");
            // Exactly one server sent it, and has learnt the path's MTU.
            let learnt = network
                .server_namespaces()
                .filter(|server| {
                    server.run("ip", &format!("route get {client} from {service}")).contains(&format!("mtu {MTU}"))
                })
                .count();
            assert_eq!(learnt, 1, "{client}: servers that learnt the path's MTU");
        }
    }
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["malformed"]["packets"], 0);
}
