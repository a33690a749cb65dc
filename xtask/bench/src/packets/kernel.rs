//! What the kernel can be told to do without modlb.

use anyhow::Result;

use crate::{
    command::capture,
    frame::{Family, INTERFACE, SERVICE, Shape},
    gateway::servers_behind,
    packets::way::Way,
    table::{Table, mac},
    wire::{EXIT, GATEWAY, Wire},
};

/// A rule that does what the 3-tuple formula does for one service: the source chooses the server.
pub fn nftables(wire: &Wire, table: &Table) -> Result<()> {
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

/// Without this, a veth without a program takes no frames from XDP.
pub fn accept_frames(wire: &Wire) -> Result<()> {
    capture(wire.namespace.command("ethtool").args(["-K", GATEWAY, "gro", "on"])).map(drop)
}

/// A route for the packets with a next hop for each server, or with one. It leaves by another interface than packets
/// arrive at, or the kernel would answer each with a redirect.
pub fn route(wire: &Wire, table: &Table, way: Way, shape: &Shape) -> Result<()> {
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
    servers_behind(namespace, EXIT)?;
    let first = u32::from(shape.first);
    let destination = match table.family {
        Family::V4 => format!("{}/32", table.address(first)),
        Family::V6 => format!("{}/128", table.address(first)),
    };
    let mut route = format!("route add {destination}");
    for server in 0..if way.chooses() { table.servers } else { 1 } {
        let (address, mac) = (table.server(server), mac(0, server));
        namespace.ip(&format!("neigh add {address} lladdr {mac} dev {EXIT} nud permanent"))?;
        route += &format!(" nexthop via {address} dev {EXIT}");
    }
    namespace.ip(&route)?;
    // The kernel takes packets only from clients that it can reach.
    namespace.ip(&format!("addr add 198.51.100.1/24 dev {GATEWAY}"))?;
    namespace.ip("route add 198.19.0.0/16 via 198.51.100.2")
}
