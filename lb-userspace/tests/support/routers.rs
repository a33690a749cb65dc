//! Routers side by side between a client's network and a servers' network, each with stateful firewall rules.
//!
//! ```text
//!            left (br0)                           right (br0)
//!    ┌──────────┬─────────┬──── …          ┌─────────┬──── … ────┬──────────┐
//!  client    gateway   router 0, 1, 2   router 0, 1, 2         server 0, server 1
//!  10.1.0.2  10.1.0.1  10.1.0.11, …     10.2.0.11, …           10.2.0.101, …
//! ```

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::{
    cluster::GROUP,
    modlb::Modlb,
    namespace::Namespace,
    network::{BULK_PORT, Host, TCP_PORT},
    nft,
    wait::PATIENCE,
};

pub const ROUTERS: u8 = 3;
pub const SERVERS: u8 = 2;
const CLIENTS: u8 = 25;

/// What a router forwards: only connections whose start its connection tracking has seen.
const STATEFUL: &str = "
table inet stateful {
    counter invalid { }
    counter opened { }
    counter to_servers { }
    counter to_clients { }
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname eth0 counter name to_servers
        iifname eth1 counter name to_clients
        ct state invalid counter name invalid drop
        ct state established,related accept
        ct state new tcp flags & (syn | ack) == syn counter name opened accept
    }
}";

const RESETS: &str = "
table inet count {
    counter resets { }
    chain in {
        type filter hook input priority 0;
        tcp flags & rst == rst counter name resets
    }
}";

/// The network.
pub struct Routers {
    /// Each router's command.
    pub members: Vec<Modlb>,
    /// Each server's command.
    pub steering: Vec<Modlb>,
    /// The gateway's.
    pub balancer: Modlb,
    pub client: Namespace,
    pub routers: Vec<Namespace>,
    pub servers: Vec<Host>,
    pub left: Namespace,
    _gateway: Namespace,
    _right: Namespace,
}

/// An address of a side: 1 is left, 2 is right.
pub fn address(side: u8, six: bool, number: u8) -> IpAddr {
    if six {
        Ipv6Addr::new(0xfd00 + u16::from(side), 0, 0, 0, 0, 0, 0, number.into()).into()
    } else {
        Ipv4Addr::new(10, side, 0, number).into()
    }
}

/// A server's address.
pub fn server(six: bool, number: u8) -> IpAddr {
    address(2, six, 101 + number)
}

fn mac(side: u8, number: u8) -> String {
    format!("02:00:00:0{side}:00:{number:02x}")
}

fn network(side: u8, six: bool) -> String {
    if six { format!("fd0{side}::/64") } else { format!("10.{side}.0.0/24") }
}

impl Routers {
    pub fn new() -> Self {
        let [left, right] = ["left", "right"].map(|label| {
            let switch = Namespace::new(label);
            switch.ip("link add br0 type bridge mcast_snooping 0");
            switch.ip("link set br0 up");
            switch
        });
        let [client, gateway] = ["client", "gateway"].map(Namespace::new);
        plug(&left, 1, &client, "eth0", 2);
        plug(&left, 1, &gateway, "eth0", 1);
        for number in 0..CLIENTS {
            client.ip(&format!("addr add {}/24 dev eth0", address(1, false, 100 + number)));
            client.ip(&format!("addr add {}/64 dev eth0 nodad", address(1, true, 100 + number)));
        }
        let routers: Vec<_> = (0..ROUTERS)
            .map(|number| {
                let router = Namespace::new(&format!("r{number}"));
                plug(&left, 1, &router, "eth0", 11 + number);
                plug(&right, 2, &router, "eth1", 11 + number);
                nft::load(&router, STATEFUL);
                router.within(|| {
                    for (setting, value) in [
                        ("ipv4/ip_forward", "1"),
                        ("ipv6/conf/all/forwarding", "1"),
                        ("netfilter/nf_conntrack_tcp_loose", "0"),
                        ("ipv4/conf/all/send_redirects", "0"),
                        ("ipv4/conf/eth0/send_redirects", "0"),
                    ] {
                        fs::write(format!("/proc/sys/net/{setting}"), value).unwrap();
                    }
                });
                router
            })
            .collect();
        let servers: Vec<_> = (0..SERVERS)
            .map(|number| {
                let server = Namespace::new(&format!("s{number}"));
                plug(&right, 2, &server, "eth0", 101 + number);
                Host::serving(server, number)
            })
            .collect();
        nft::load(&client, RESETS);
        let members = routers.iter().map(Modlb::new).collect();
        let steering = servers.iter().map(|server| Modlb::new(&server.namespace)).collect();
        let balancer = Modlb::new(&gateway);
        Self { members, steering, balancer, client, routers, servers, left, _gateway: gateway, _right: right }
    }

    /// Clients send to the group's MAC.
    pub fn clients_send_to_the_group(&self) {
        send_to(&self.client, 1, 254, Some(GROUP));
    }

    /// Clients send to the gateway.
    pub fn clients_send_to_the_gateway(&self) {
        send_to(&self.client, 1, 1, None);
    }

    /// Servers send to the group's MAC.
    pub fn servers_send_to_the_group(&self) {
        self.servers.iter().for_each(|server| send_to(&server.namespace, 2, 254, Some(GROUP)));
    }

    /// The servers' kernels route by the first router.
    pub fn servers_send_to_a_router(&self) {
        self.servers.iter().for_each(|server| send_to(&server.namespace, 2, 11, None));
    }

    /// A configuration with a service for the servers' network of each family, whose servers are the routers. Both
    /// sides use the same addresses for them, since the slots of a router that is down are dealt by addresses.
    pub fn configuration(head: &str, what: &str, side: Option<u8>) -> String {
        Self::configuration_of(head, &[network(2, false), network(2, true)], what, side)
    }

    /// The same for these prefixes, one of each family.
    pub fn configuration_of(head: &str, prefixes: &[String; 2], what: &str, side: Option<u8>) -> String {
        let mut text = format!("{head}\n");
        for (prefix, six) in prefixes.iter().zip([false, true]) {
            text +=
                &format!("[[service]]\nname = \"net{}\"\naddress = \"{prefix}\"\n{what}\n", if six { 6 } else { 4 });
            for number in 11..11 + ROUTERS {
                text += &format!("[[service.server]]\naddress = \"{}\"\n", address(1, six, number));
                text += &side.map_or_else(String::new, |side| format!("mac = \"{}\"\n", mac(side, number)));
            }
        }
        text
    }

    /// The client's addresses.
    pub fn clients(&self, six: bool) -> Vec<IpAddr> {
        (0..CLIENTS).map(|number| address(1, six, 100 + number)).collect()
    }

    /// A counter from each router's rules.
    pub fn counters(&self, name: &str) -> Vec<u64> {
        self.routers.iter().map(|router| nft::packets(router, name)).collect()
    }

    /// Resets that the client received: a connection that its router or server does not know is broken by one.
    ///
    /// Resets that servers receive mean nothing: the client sends them when a late duplicate of its first packet opens
    /// a connection again.
    pub fn resets(&self) -> u64 {
        nft::packets(&self.client, "resets")
    }
}

/// Makes a connection from `client` to a server, in the current namespace, and closes it in an orderly way: a reset
/// would hide packets that went astray. Returns the source port and the server's number.
pub fn converse(client: IpAddr, to: IpAddr, patience: Duration) -> io::Result<(u16, u8)> {
    let mut stream = open(client, SocketAddr::new(to, TCP_PORT), patience)?;
    let port = stream.local_addr()?.port();
    stream.write_all(b"?")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer[..] {
        [number] => Ok((port, number)),
        _ => Err(io::Error::other(format!("unexpected answer {answer:?}"))),
    }
}

/// Downloads what a server sends in bulk and returns the number of bytes.
pub fn download(client: IpAddr, to: IpAddr) -> io::Result<usize> {
    let mut bytes = Vec::new();
    open(client, SocketAddr::new(to, BULK_PORT), PATIENCE)?.read_to_end(&mut bytes)
}

fn open(client: IpAddr, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect_timeout(&to.into(), patience)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(patience))?;
    Ok(stream)
}

/// An interface of a host on a side.
fn plug(switch: &Namespace, side: u8, host: &Namespace, interface: &str, number: u8) {
    let (name, mac) = (host.name(), mac(side, number));
    host.within(|| fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap());
    switch.ip(&format!("link add v{number} type veth peer name {interface} netns {name} address {mac}"));
    switch.ip(&format!("link set v{number} master br0 up"));
    host.ip(&format!("link set {interface} up"));
    host.ip(&format!("addr add {}/24 dev {interface}", address(side, false, number)));
    host.ip(&format!("addr add {}/64 dev {interface} nodad", address(side, true, number)));
    host.run("ethtool", &format!("-K {interface} tx off"));
}

/// Routes everything for the other side by the router with this number, optionally at another MAC than its own.
fn send_to(host: &Namespace, side: u8, router: u8, mac: Option<&str>) {
    for six in [false, true] {
        let via = address(side, six, router);
        host.ip(&format!("route replace {} via {via}", network(3 - side, six)));
        if let Some(mac) = mac {
            host.ip(&format!("neigh replace {via} lladdr {mac} dev eth0 nud permanent"));
        }
    }
}
