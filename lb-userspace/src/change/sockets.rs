//! Finds the network namespaces of services' sockets, for role `keep`.
//!
//! The datapath names a namespace by its id. One that is deleted and made again under the same name may have another
//! one, and another namespace may get the id; so what is recorded is compared with what the kernel says.

use std::{collections::HashSet, net::IpAddr};

use anyhow::{Result, bail};
use lb_common::table::ServiceCell;

use crate::{
    config::model::{Config, Netns, Role, Service, Sockets},
    datapath::{Location, Snapshot},
    net::{
        self, Net,
        namespaces::{self, Error},
    },
};

/// Enters the ids of all namespaces into a configuration. `known` are the services before.
///
/// A namespace outlives its name, or the process that names it, while others are in it. So without a name it keeps its
/// id, as long as the kernel has it.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn find(net: &Net, config: &mut Config, known: &[Service]) -> net::Result<()> {
    let is_keep = config.role == Role::Keep;
    for service in &mut config.services {
        let Some(sockets) = &mut service.sockets else { continue };
        sockets.id = match namespaces::file(sockets.netns.as_str()) {
            _ if !is_keep => None,
            Ok(file) => Some(usable(&service.name, net.namespace_id(&file).await?)),
            Err(_) => match before(known, &service.name, &sockets.netns) {
                Some(id) if net.knows_namespace(id).await? => Some(id),
                Some(_) | None => None,
            },
        };
    }
    Ok(())
}

/// The kernel gives small ids; others are given by hand.
fn usable(service: &str, id: u32) -> u32 {
    if id > ServiceCell::MAX_NETNS_ID {
        log::warn!(
            "service {service}: its network namespace was given the id {id}, and the datapath finds none above {}; make it \
             again, and leave the choice of its id to the kernel",
            ServiceCell::MAX_NETNS_ID
        );
    }
    id
}

/// The id that a namespace had for a service.
fn before(known: &[Service], name: &str, netns: &Netns) -> Option<u32> {
    let service = known.iter().find(|service| service.name == name)?;
    service.sockets.as_ref().filter(|before| before.netns == *netns)?.id
}

/// A line for each service whose sockets are not where the instance looks for them. Changes nothing.
///
/// # Errors
///
/// The kernel cannot be asked.
pub async fn differences(net: &Net, have: &Snapshot) -> net::Result<Vec<String>> {
    let mut lines = missing(have);
    if have.config.role != Role::Keep {
        return Ok(lines);
    }
    for service in &have.config.services {
        let Some(Sockets { netns, id }) = &service.sockets else { continue };
        let now = match namespaces::file(netns.as_str()) {
            Ok(file) => net.find_namespace_id(&file).await?,
            // Without a name, it may still be there.
            Err(_) => match *id {
                Some(id) if net.knows_namespace(id).await? => Some(id),
                Some(_) | None => None,
            },
        };
        if now != *id {
            lines.push(match id {
                Some(_) => format!("service {}: network namespace {netns} is another one than before", service.name),
                None => format!("service {}: network namespace {netns} is there now", service.name),
            });
        }
    }
    Ok(lines)
}

/// A line for each service of this host whose network namespace is not there.
pub fn missing(have: &Snapshot) -> Vec<String> {
    if have.config.role != Role::Keep {
        return Vec::new();
    }
    let services = have.config.services.iter().zip(&have.locations);
    let here = services.filter(|(_, locations)| locations.contains(&Location::Local)).map(|(service, _)| service);
    here.filter_map(|service| Some(line(service, &trouble(service)?))).collect()
}

/// Refuses a configuration for role `keep` by which connections of this host, with these addresses, could not be found.
///
/// # Errors
///
/// The network namespace of a service's sockets is not there.
pub fn check(config: &Config, own: &HashSet<IpAddr>) -> Result<()> {
    if config.role != Role::Keep {
        return Ok(());
    }
    let mut here = config.services.iter().filter(|it| it.servers.iter().any(|server| own.contains(&server.address)));
    if let Some(line) = here.find_map(|service| Some(line(service, &trouble(service)?))) {
        bail!("{line}; start what has it, correct `sockets`, or go on without its connections: `--force`");
    }
    Ok(())
}

/// Why the namespace of a service's sockets cannot be found.
fn trouble(service: &Service) -> Option<Error> {
    namespaces::file(service.sockets.as_ref()?.netns.as_str()).err()
}

fn line(service: &Service, error: &Error) -> String {
    format!("service {}: sockets: {error}", service.name)
}
