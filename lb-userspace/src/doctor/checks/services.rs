//! The services' addresses: who has them, and who says so?

use std::{collections::BTreeSet, net::IpAddr};

use lb_common::mac::Mac;

use crate::{
    config::model::{Role, Service},
    doctor::{
        facts::{ServerFacts, Site},
        finding::{Finding, Level},
        ways::Ways,
    },
};

/// MACs that keepalived gives to a virtual router (RFC 9568, 7.3).
const VIRTUAL: [[u8; 5]; 2] = [[0, 0, 0x5e, 0, 1], [0, 0, 0x5e, 0, 2]];

/// The addresses of services that packets come to, each once.
pub fn addresses<'a>(services: impl IntoIterator<Item = &'a Service>) -> Vec<IpAddr> {
    let single = services.into_iter().filter(|service| service.is_announced());
    single.map(|service| service.address.addr()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// All of them; elsewhere than on a balancer, every server has them.
pub fn all(site: &Site, ways: &Ways) -> Vec<Finding> {
    if site.role != Role::Balancer {
        return Vec::new();
    }
    let services = addresses(&site.config.services);
    let mut findings: Vec<_> = services.iter().map(|address| here(site, *address, ways)).collect();
    findings.extend(services.iter().map(|address| elsewhere(site, *address)));
    findings
}

/// Whether this host has the address.
fn here(site: &Site, service: IpAddr, ways: &Ways) -> Finding {
    let Some(own) = site.addresses.iter().find(|own| own.address == service) else {
        return Finding::ok("service", service.to_string(), "not an address of this host's");
    };
    let name = site.names.get(&own.interface).map_or("?", String::as_str);
    let meaning = "whenever modlb does not take a packet (on standby, detached, a fragment), this host answers instead of a \
                   server, and resets clients' connections; it also answers for the address on the network";
    Finding::bad(Level::Warning, "service", service.to_string(), format!("an address of {name}"), meaning)
        .run(ways.here(&format!("ip address del {service}/{} dev {name}", own.length)))
}

/// Whether another machine says that it has the address.
fn elsewhere(site: &Site, service: IpAddr) -> Finding {
    let subject = service.to_string();
    let answers: Vec<_> = site.answers.iter().filter(|(address, ..)| *address == service).collect();
    let server = |mac: Mac| site.servers.iter().find(|server| is_at(server, mac));
    for (_, interface, mac) in &answers {
        if let Some(server) = server(*mac) {
            let seen = format!("the server {} ({mac}) answers for it on {interface}", server.address);
            let meaning = "clients on this link send to that server directly, past modlb; it gets everything, or resets what \
                           others began";
            return Finding::bad(Level::Failure, "answers", subject, seen, meaning).cure(format!(
                "on that server: scripts/server-setup.sh {service}, or what `modlb doctor --server --service {service}` says"
            ));
        }
    }
    let other = answers.iter().find(|(.., mac)| !VIRTUAL.iter().any(|start| mac.0.starts_with(start)));
    match other {
        Some((_, interface, mac)) if !site.standby => {
            let seen = format!("{mac} answers for it on {interface}");
            let meaning = "another machine has the address: who asks on this link sends there, past modlb. If that is the \
                           other balancer, this one should be on standby";
            Finding::bad(Level::Failure, "answers", subject, seen, meaning)
                .cure(format!("take the address {service} from the machine with the MAC {mac}"))
        }
        Some((_, interface, mac)) => {
            Finding::ok("answers", subject, format!("{mac} answers on {interface}, as one may on standby"))
        }
        None => Finding::ok("answers", subject, "no other machine answers for it"),
    }
}

fn is_at(server: &ServerFacts, mac: Mac) -> bool {
    server.mac == Some(mac) || server.answers.contains(&mac)
}
