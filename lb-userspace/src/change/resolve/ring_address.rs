//! By which addresses other hosts know this one, in role `keep`.
//!
//! A host may be no server in its own file but one in another host's newer file. Then it has to stand in the ring where
//! that host puts it, else packets go round between some servers and never reach the one that holds their connection.

use std::{collections::HashSet, net::IpAddr};

use crate::{
    config::model::Config,
    datapath::Location,
    net::{self, Interface, Net},
};

/// At most one address of each family: one that is a server's in any service, else the lowest of the interfaces that is
/// no service's. Where that is wrong, `self` in the configuration says which it is.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn ring_addresses(
    net: &Net,
    interfaces: &[Interface],
    config: &Config,
    locations: &[Vec<Location>],
) -> net::Result<Vec<IpAddr>> {
    let known = if config.group.own.is_empty() { servers(config, locations) } else { config.group.own.clone() };
    let mut found = Vec::new();
    let mut others = None;
    for is_ipv4 in [true, false] {
        if let Some(address) = known.iter().find(|address| address.is_ipv4() == is_ipv4) {
            found.push(*address);
            continue;
        }
        if others.is_none() {
            others = Some(net.interface_addresses(interfaces).await?);
        }
        let vips: HashSet<_> = config.services.iter().map(|service| service.address.addr()).collect();
        let mut others = others.iter().flatten().filter(|address| address.is_ipv4() == is_ipv4);
        found.extend(others.find(|address| !vips.contains(address)));
    }
    Ok(found)
}

/// The addresses by which services list this host, the lowest first.
fn servers(config: &Config, locations: &[Vec<Location>]) -> Vec<IpAddr> {
    let servers = config.services.iter().zip(locations).flat_map(|(service, row)| service.servers.iter().zip(row));
    let here = servers.filter(|(_, location)| **location == Location::Local);
    let mut found: Vec<_> = here.map(|(server, _)| server.address).collect();
    found.sort();
    found
}
