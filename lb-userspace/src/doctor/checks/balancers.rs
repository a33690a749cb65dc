//! The other balancers: can their frames be told from clients', and is none of them taken for a server?

use std::net::IpAddr;

use lb_common::mac::Mac;

use crate::{
    config::model::Role,
    doctor::{
        command::CommandContext,
        facts::{PeerFacts, ServerFacts, Site},
        finding::{Finding, Level},
    },
};

/// All checks; only a balancer has peers.
pub fn all(site: &Site, context: &CommandContext) -> Vec<Finding> {
    if site.role != Role::Balancer {
        return Vec::new();
    }
    let mut findings: Vec<_> = site.peers.iter().map(|peer| known(peer, context)).collect();
    findings.extend(site.servers.iter().filter_map(|server| taken_for_a_server(site, server)));
    findings.extend(this_host(site, context));
    findings
}

/// Whether the MAC of its frames is known.
fn known(peer: &PeerFacts, context: &CommandContext) -> Finding {
    let PeerFacts { address, mac, answers } = peer;
    let subject = address.to_string();
    let answered: Vec<_> = answers.iter().map(ToString::to_string).collect();
    match mac {
        Some(mac) if answers.is_empty() || answers.contains(mac) => {
            Finding::ok("balancers", subject, format!("its frames come from {mac}"))
        }
        None if !answers.is_empty() => {
            Finding::ok("balancers", subject, format!("answers at {}", answered.join(" and ")))
        }
        Some(mac) => {
            let seen = format!("answers at {}, its frames are expected from {mac}", answered.join(" and "));
            Finding::bad(Level::Failure, "balancers", subject, seen, AGAIN).run(apply(context))
        }
        None => {
            let seen = "no answer, and its MAC is not known".to_owned();
            Finding::bad(Level::Warning, "balancers", subject, seen, AGAIN)
                .cure("see whether it is up and on a link of this host; `modlb agent` finds it when it appears")
        }
    }
}

/// What follows where a balancer's frames cannot be told from clients'.
const AGAIN: &str =
    "what it sends is balanced again: while balancers disagree, frames may travel between them for ever";

fn apply(context: &CommandContext) -> String {
    format!(
        "{} > /run/modlb-{}.toml && {}",
        context.modlb("export"),
        context.instance,
        context.modlb(&format!("apply /run/modlb-{}.toml", context.instance))
    )
}

/// A server at whose MAC there is another balancer: the frames that it gets are dropped or balanced there.
fn taken_for_a_server(site: &Site, server: &ServerFacts) -> Option<Finding> {
    let is_at = |mac: &Mac| server.mac == Some(*mac) || server.answers.contains(mac);
    let peer = site.peers.iter().find(|peer| peer.macs().any(|mac| is_at(&mac)))?;
    let is_server = |address: IpAddr| site.servers.iter().any(|server| server.address == address);
    // A host may be a server of both families, and be listed by one address.
    let other_family = server.address.is_ipv4() != peer.address.is_ipv4() && is_server(peer.address);
    if other_family || site.peers.iter().any(|peer| peer.address == server.address) {
        return None;
    }
    let mac = peer.macs().find(|mac| is_at(mac))?;
    let seen = format!("its frames go to {mac}, which is the balancer {}", peer.address);
    let meaning = "they reach a balancer instead of a server, which sends them on or drops them";
    Some(Finding::bad(Level::Failure, "balancers", server.address.to_string(), seen, meaning).cure(format!(
        "correct the server's mac, or the neighbour entry, ARP proxy or address that makes the balancer answer for it; \
         if {} is an address of that balancer, name it in `peers` as well",
        server.address
    )))
}

/// This host is a server of services that it balances: what the services' other servers send it is not balanced again.
fn this_host(site: &Site, context: &CommandContext) -> Option<Finding> {
    if site.standby || !site.here {
        return None;
    }
    let own = |address: IpAddr| site.addresses.iter().any(|own| own.address == address);
    let services: Vec<_> =
        site.config.services.iter().filter(|service| service.servers.iter().any(|it| own(it.address))).collect();
    let names = services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ");
    let answers = |address: IpAddr| site.servers.iter().any(|it| it.address == address && !it.macs().is_empty());
    let servers = services.iter().flat_map(|service| &service.servers);
    // Servers that are up and have no MAC have a finding of their own, for they take no flows.
    let unknown = servers.filter(|it| !own(it.address) && it.mac.get().is_none() && !answers(it.address));
    let mut unknown: Vec<_> = unknown.map(|server| server.address).collect();
    unknown.sort_unstable();
    unknown.dedup();
    let subject = "this host";
    if unknown.is_empty() {
        let seen = format!("a server of {names}: takes what their other servers send it (HIGH-AVAILABILITY.md)");
        return Some(Finding::ok("balancers", subject, seen));
    }
    let unknown = unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let seen = format!("a server of {names}, but the MAC of its other server {unknown} is not known");
    let finding = Finding::bad(Level::Warning, "balancers", subject, seen, AGAIN);
    Some(finding.cure(format!("give its mac in the configuration, or, when it is up, `{}`", apply(context))))
}
