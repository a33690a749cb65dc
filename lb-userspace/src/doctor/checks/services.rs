//! The services' addresses: does this host have them, and does another machine answer for them?

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::mac::Mac;

use crate::{
    config::model::{Role, Service},
    doctor::{
        command::CommandContext,
        facts::{ServerFacts, Site},
        finding::{Finding, Level},
    },
    net::shell::quoted,
};

/// MACs that keepalived gives to a virtual router (RFC 9568, 7.3).
const VIRTUAL: [[u8; 5]; 2] = [[0, 0, 0x5e, 0, 1], [0, 0, 0x5e, 0, 2]];

/// The services' single addresses, each once.
pub fn addresses<'a>(services: impl IntoIterator<Item = &'a Service>) -> Vec<IpAddr> {
    let single = services.into_iter().filter(|service| service.is_announced());
    single.map(|service| service.address.addr()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// All checks; only on a balancer, since elsewhere every server has the addresses.
pub fn all(site: &Site, context: &CommandContext) -> Vec<Finding> {
    if site.role != Role::Balancer {
        return Vec::new();
    }
    let services = addresses(&site.config.services);
    let mut findings: Vec<_> = services.iter().map(|address| here(site, *address, context)).collect();
    findings.extend(services.iter().map(|address| elsewhere(site, *address)));
    findings
}

/// Whether this host has the address.
fn here(site: &Site, service: IpAddr, context: &CommandContext) -> Finding {
    let Some(own) = site.addresses.iter().find(|own| own.address == service) else {
        return Finding::ok("service", service.to_string(), "not an address of this host");
    };
    let name = site.names.get(&own.interface).map_or("?", String::as_str);
    let meaning = "this host answers packets that modlb does not take (on standby, detached, fragments) and resets \
                   clients' connections; it also answers for the address on the network";
    Finding::bad(Level::Warning, "service", service.to_string(), format!("an address of {name}"), meaning)
        .run(context.here(&format!("ip address del {service}/{} dev {}", own.length, quoted(name))))
}

/// Whether another machine answers for the address.
fn elsewhere(site: &Site, service: IpAddr) -> Finding {
    let subject = service.to_string();
    let answers: Vec<_> = site.answers.iter().filter(|(address, ..)| *address == service).collect();
    let server = |mac: Mac| site.servers.iter().find(|server| is_at(server, mac));
    for (_, interface, mac) in &answers {
        if let Some(server) = server(*mac) {
            let seen = format!("the server {} ({mac}) answers for it on {interface}", server.address);
            let meaning = "clients on this link send to that server directly, bypassing modlb; it gets all packets, or \
                           resets other servers' connections";
            return Finding::bad(Level::Failure, "answers", subject, seen, meaning).cure(format!(
                "on that server: scripts/server-setup.sh {service}, or follow `modlb doctor --server --service \
                 {service}`"
            ));
        }
    }
    let other = answers.iter().find(|(.., mac)| !VIRTUAL.iter().any(|start| mac.0.starts_with(start)));
    match other {
        Some((_, interface, mac)) if !site.standby => {
            let seen = format!("{mac} answers for it on {interface}");
            let meaning = "another machine has the address: clients on this link send to it, bypassing modlb. If it is \
                           the other balancer, this one should be on standby";
            Finding::bad(Level::Failure, "answers", subject, seen, meaning)
                .cure(format!("remove the address {service} from the machine with the MAC {mac}"))
        }
        Some((_, interface, mac)) => {
            Finding::ok("answers", subject, format!("{mac} answers on {interface}, which is fine on standby"))
        }
        None => Finding::ok("answers", subject, "no other machine answers for it"),
    }
}

fn is_at(server: &ServerFacts, mac: Mac) -> bool {
    server.mac == Some(mac) || server.answers.contains(&mac)
}
