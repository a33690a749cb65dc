//! The ways to forward that are compared, each on its own cable.

use std::path::Path as FilePath;

use anyhow::{Context as _, Result};

use crate::{
    command::capture,
    frame::{Family, INTERFACE, SERVICE, Shape, Spread},
    modlb::Modlb,
    packets::stream::Stream,
    table::{Kind, Role, Table, mac},
    wire::{EXIT, GATEWAY, Wire},
};

/// Servers of the service with which all ways are compared. Few, which favours routes, whose next hops the kernel
/// searches one by one.
pub const SERVERS: u32 = 16;

/// A way to forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Rewrites both MACs and sends the frame back: nothing that forwards at layer 2 can be faster.
    Floor,
    /// modlb in the driver.
    Native,
    /// modlb in the network stack.
    Generic,
    /// `jhash` of the source modulo N in nftables' ingress hook.
    Nftables,
    /// The kernel's routing, by a route with a next hop for each server.
    Ecmp,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Floor, Self::Native, Self::Generic, Self::Nftables, Self::Ecmp];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "MAC rewrite",
            Self::Native => "modlb",
            Self::Generic => "modlb generic",
            Self::Nftables => "nftables",
            Self::Ecmp => "ECMP",
        }
    }
}

/// A way to forward, set up.
pub struct Path {
    /// The way.
    pub way: Way,
    /// The services that it forwards.
    pub table: Table,
    /// The packets that it gets.
    pub stream: Stream,
    /// The packets' shape.
    pub shape: Shape,
    // Before the cable's namespace, so that it is detached first.
    _modlb: Option<Modlb>,
    /// The cable that it is on.
    pub wire: Wire,
}

impl Path {
    /// Sets one up. Packets go to all services of the table that have their own address.
    pub fn new(way: Way, table: Table, modlb: &FilePath) -> Result<Self> {
        Self::set_up(way, table, modlb).with_context(|| format!("{} cannot be set up", way.name()))
    }

    fn set_up(way: Way, table: Table, modlb: &FilePath) -> Result<Self> {
        let mut wire = Wire::new("packets", way == Way::Ecmp)?;
        let mut attached = None;
        match way {
            Way::Floor => wire.attach("rewrite", GATEWAY)?,
            Way::Native | Way::Generic => {
                let mode = if way == Way::Native { "native" } else { "generic" };
                let command = Modlb::new(modlb, &wire.namespace)?;
                command.attach(&format!("{GATEWAY} --mode {mode} {}", table.capacity()), &table.configuration())?;
                attached = Some(command);
            }
            Way::Nftables => nftables(&wire, &table)?,
            Way::Ecmp => ecmp(&wire, &table)?,
        }
        if matches!(way, Way::Generic | Way::Nftables | Way::Ecmp) {
            // Without this, a veth without a program takes no frames from XDP.
            let mut ethtool = wire.namespace.command("ethtool");
            capture(ethtool.args(["-K", GATEWAY, "gro", "on"]))?;
        }
        let shape = Shape::tcp(table.family);
        let services = if table.services > 1 { Spread::MANY.services } else { 0 };
        let spread = Spread { clients: Spread::MANY.clients, services };
        let stream = Stream::new(&shape, spread, wire.transmit());
        Ok(Self { way, table, stream, shape, _modlb: attached, wire })
    }
}

/// One service with [`SERVERS`] servers.
pub const fn one_service(family: Family) -> Table {
    Table { family, kind: Kind::Port, services: 1, addresses: 1, servers: SERVERS, role: Role::Balancer, exit: false }
}

/// A rule that does what the 3-tuple formula does for one service: the source chooses the server.
fn nftables(wire: &Wire, table: &Table) -> Result<()> {
    let (ip, address) = match table.family {
        Family::V4 => ("ip", SERVICE.0.to_string()),
        Family::V6 => ("ip6", SERVICE.1.to_string()),
    };
    let map: Vec<_> = (0..table.servers).map(|server| format!("{server} : {}", mac(0, server))).collect();
    let rules = format!(
        "table netdev bench {{\nchain ingress {{\ntype filter hook ingress device \"{GATEWAY}\" priority 0\n\
         {ip} daddr {address} tcp dport 443 ether saddr set {INTERFACE} \
         ether daddr set jhash {ip} saddr mod {} map {{ {} }} fwd to \"{GATEWAY}\"\n}}\n}}\n",
        table.servers,
        map.join(", ")
    );
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), rules)?;
    capture(wire.namespace.command("nft").arg("-f").arg(file.path())).map(drop)
}

/// A route with a next hop for each server. It leaves by another interface than packets arrive at, or the kernel would
/// answer each with a redirect.
fn ecmp(wire: &Wire, table: &Table) -> Result<()> {
    let namespace = &wire.namespace;
    for (key, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/fib_multipath_hash_policy", "0"),
        ("net/ipv6/fib_multipath_hash_policy", "0"),
    ] {
        namespace.set(key, value)?;
    }
    for interface in [GATEWAY, EXIT] {
        namespace.set(&format!("net/ipv4/conf/{interface}/rp_filter"), "0")?;
    }
    namespace.ip(&format!("addr add 10.1.255.254/16 dev {EXIT}"))?;
    namespace.ip(&format!("addr add fd00::ffff:ffff/64 dev {EXIT} nodad"))?;
    let destination = match table.family {
        Family::V4 => format!("{}/32", SERVICE.0),
        Family::V6 => format!("{}/128", SERVICE.1),
    };
    let mut route = format!("route add {destination}");
    for server in 0..table.servers {
        let (address, mac) = (table.server(server), mac(0, server));
        namespace.ip(&format!("neigh add {address} lladdr {mac} dev {EXIT} nud permanent"))?;
        route += &format!(" nexthop via {address} dev {EXIT}");
    }
    namespace.ip(&route)?;
    // The kernel takes packets only from clients that it can reach.
    namespace.ip(&format!("addr add 198.51.100.1/24 dev {GATEWAY}"))?;
    namespace.ip("route add 198.19.0.0/16 via 198.51.100.2")
}
