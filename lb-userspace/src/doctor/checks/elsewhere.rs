//! Role `keep`: services whose sockets are in another network namespace of this host.

use std::net::IpAddr;

use super::listeners::takes;
use crate::{
    config::model::{Netns, Service},
    doctor::{
        command::{CommandContext, within},
        facts::{Elsewhere, KeepSide},
        finding::{Finding, Level},
    },
};

/// All checks of a service with sockets in this namespace.
pub fn all(service: &Service, netns: &Netns, side: &KeepSide, context: &CommandContext) -> Vec<Finding> {
    let found = side.elsewhere.iter().find(|(known, _)| known == netns);
    let subject = service.target();
    match found.map(|(_, found)| found) {
        Some(Ok(found)) => {
            let mut findings: Vec<_> = listener(service, netns, found).into_iter().collect();
            if !service.is_prefix() {
                findings.extend(address(service.address.addr(), netns, found));
                findings.extend(way(service.address.addr(), netns, found, context));
            }
            findings
        }
        Some(Err(reason)) => {
            let meaning = "the service's connections are looked for there: none is found, and packets are handed on to \
                           other servers";
            let cure = "start what has it, or correct `sockets`; modlb finds it when it is there";
            vec![Finding::bad(Level::Failure, "sockets", subject, reason.clone(), meaning).cure(cure)]
        }
        None => Vec::new(),
    }
}

fn listener(service: &Service, netns: &Netns, found: &Elsewhere) -> Option<Finding> {
    // A service for all protocols may have no TCP.
    service.protocol?;
    let subject = service.target();
    if let Some(found) = found.listeners.iter().find(|listener| takes(listener, service)) {
        let seen = format!("in network namespace {netns} a socket listens on {}", found.local);
        return Some(Finding::ok("listener", subject, seen));
    }
    let meaning = "role `keep` finds a connection among the sockets of that network namespace; any other it takes for \
                   another server's, hands its packets on, and they end in a reset";
    let seen = format!("no socket listens for it in network namespace {netns}");
    let cure = format!("let the server listen there, on {}; or correct `sockets`", service.address.addr());
    Some(Finding::bad(Level::Failure, "listener", subject, seen, meaning).cure(cure))
}

/// Whether the namespace takes packets to the service as its own.
fn address(service: IpAddr, netns: &Netns, found: &Elsewhere) -> Option<Finding> {
    let (_, accepted) = found.accepted.iter().find(|(address, _)| *address == service)?;
    let subject = service.to_string();
    if *accepted {
        return Some(Finding::ok("address", subject, format!("of network namespace {netns}")));
    }
    let meaning = "packets that modlb sends here are not for it: it drops them, or forwards them in a loop";
    let seen = format!("not an address of network namespace {netns}");
    let (length, option) = if service.is_ipv4() { (32, "") } else { (128, " nodad") };
    let add = format!("ip address add {service}/{length} dev lo{option}");
    Some(Finding::bad(Level::Failure, "address", subject, seen, meaning).run(within(netns.as_str(), &add)))
}

/// Whether packets get from the interfaces' namespace to that one.
fn way(service: IpAddr, netns: &Netns, found: &Elsewhere, context: &CommandContext) -> Option<Finding> {
    let (_, way) = found.ways.iter().find(|(address, _)| *address == service)?;
    let subject = service.to_string();
    let reason = match way {
        Ok(name) => return Some(Finding::ok("way", subject, format!("to network namespace {netns} by {name}"))),
        Err(reason) => reason,
    };
    let meaning = "packets that arrive here do not get to the sockets";
    let family = if service.is_ipv4() { "ipv4" } else { "ipv6" };
    let cure = format!(
        "route the address to {netns}, as with `{}`, and forward (`{}`)",
        context.here(&format!("ip route add {service} dev INTERFACE")),
        context.here(&format!("sysctl -w net.{family}.conf.all.forwarding=1"))
    );
    Some(Finding::bad(Level::Failure, "way", subject, reason.clone(), meaning).cure(cure))
}
