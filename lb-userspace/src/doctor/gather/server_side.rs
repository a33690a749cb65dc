//! Facts about a server.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::Result;

use super::settings::{effective, setting};
use crate::{
    doctor::facts::{ServerLink, ServerSide},
    net::{Net, Route},
};

/// Clients anywhere: addresses of the documentation networks (RFC 5737, RFC 3849), to which only default routes lead.
const ANYBODY: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// How long the kernel may take to route a newly added IPv6 address to itself.
const SETTLED: Duration = Duration::from_millis(300);

/// Whether the kernel accepts packets to an address as its own.
pub async fn is_taken(net: &Net, address: IpAddr) -> bool {
    let is_local = async || net.route(address).await.is_ok_and(|route| route.local);
    if is_local().await {
        return true;
    }
    tokio::time::sleep(SETTLED).await;
    is_local().await
}

/// Reads all facts about a server of these services, for these clients.
pub async fn read(net: &Net, services: Vec<IpAddr>, clients: &[IpAddr]) -> Result<ServerSide> {
    let interfaces = net.interfaces().await?;
    let mut side = ServerSide { services, addresses: net.addresses().await?, ..ServerSide::default() };
    for interface in &interfaces {
        side.names.insert(interface.index, interface.name.clone());
        if interface.name == "lo" {
            side.loopback = interface.index;
        }
        // An interface without a MAC answers no ARP, nor does a dummy, where services' addresses may be as well.
        let kind = net.details(interface.index).await?.kind;
        if !interface.up || interface.mac.is_none() || kind.as_deref() == Some("dummy") {
            continue;
        }
        let own = |name| setting(&interface.name, name).unwrap_or_default();
        side.links.push(ServerLink {
            name: interface.name.clone(),
            own: [own("arp_ignore"), own("arp_announce")],
            rp_filter: effective(&interface.name, "rp_filter"),
        });
    }
    side.all = ["arp_ignore", "arp_announce"].map(|name| setting("all", name).unwrap_or_default());
    for service in side.services.clone() {
        side.accepted.push((service, is_taken(net, service).await));
        let of_family = |client: &&IpAddr| client.is_ipv4() == service.is_ipv4();
        let mut wanted: Vec<_> = clients.iter().filter(of_family).map(|client| (Some(*client), *client)).collect();
        if wanted.is_empty() {
            wanted.extend(ANYBODY.iter().filter(of_family).map(|anybody| (None, *anybody)));
        }
        for (client, address) in wanted {
            let route = net.route(address).await;
            let name = |route: Route| match side.names.get(&route.interface) {
                Some(name) if !route.local => Ok(name.clone()),
                Some(_) | None => Err("it is this host itself".to_owned()),
            };
            side.routes.push((service, client, route.map_err(|error| error.to_string()).and_then(name)));
        }
    }
    Ok(side)
}
