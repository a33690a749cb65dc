//! Facts about a server that keeps connections.

use std::{fs, net::IpAddr};

use anyhow::Result;

use super::server_side;
use crate::{
    config::model::{Config, Netns, Service, Sockets},
    doctor::{
        checks::services,
        facts::{Elsewhere, KeepSide},
        translation,
    },
    net::{Net, namespaces::within, sockets::listeners},
};

/// Reads them.
pub async fn read(net: &Net, config: &Config) -> Result<KeepSide> {
    let (elsewhere, here): (Vec<_>, Vec<_>) = config.services.iter().cloned().partition(|it| it.sockets.is_some());
    let mut namespaces: Vec<(Netns, Vec<Service>)> = Vec::new();
    for service in elsewhere {
        let Some(Sockets { netns, .. }) = &service.sockets else { continue };
        match namespaces.iter_mut().find(|(known, _)| known == netns) {
            Some((_, services)) => services.push(service),
            None => namespaces.push((netns.clone(), vec![service])),
        }
    }
    let mut elsewhere = Vec::new();
    for (netns, services) in namespaces {
        let addresses = services::addresses(&services);
        let mut found = within(netns.as_str(), || inside(&addresses)).map_err(|error| error.to_string()).flatten();
        if let Ok(found) = &mut found {
            for address in addresses {
                found.ways.push((address, way(net, address).await));
            }
        }
        elsewhere.push((netns, found));
    }
    let server = server_side::read(net, services::addresses(&here), &[]).await?;
    Ok(KeepSide { server, listeners: listeners()?, elsewhere, rules: translation::rules() })
}

/// What the network namespace of this thread has for services with these addresses.
fn inside(addresses: &[IpAddr]) -> Result<Elsewhere, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found: anyhow::Result<Elsewhere> = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            let (net, mut accepted) = (Net::open()?, Vec::new());
            for address in addresses {
                accepted.push((*address, server_side::is_taken(&net, *address).await));
            }
            Ok(Elsewhere { listeners: listeners()?, accepted, ways: Vec::new() })
        })
    });
    found.map_err(|error| format!("{error:#}"))
}

/// The interface by which packets to an address leave this network namespace.
async fn way(net: &Net, address: IpAddr) -> Result<String, String> {
    let route = net.route(address).await.map_err(|error| error.to_string())?;
    if route.local {
        return Err("it is also an address of the interfaces' network namespace".to_owned());
    }
    if !forwards(address) {
        return Err("the interfaces' network namespace forwards nothing".to_owned());
    }
    Ok(net.interface_by_index(route.interface).await.map_err(|error| error.to_string())?.name)
}

/// Whether packets of an address family are forwarded.
fn forwards(address: IpAddr) -> bool {
    let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    let setting = fs::read_to_string(format!("/proc/sys/net/{family}/conf/all/forwarding"));
    // Where it cannot be read, it is not complained about.
    setting.map_or(true, |text| text.trim() != "0")
}
