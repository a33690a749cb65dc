//! Role `keep`: are the services' connections sockets of this host, and is every server known that may hold others?

use super::{elsewhere, listeners::takes, server_side};
use crate::{
    config::model::Service,
    doctor::{
        command::CommandContext,
        facts::{KeepSide, ServerFacts, Site},
        finding::{Finding, Level},
        translation,
    },
    net::sockets::Listener,
};

/// All checks; none in other roles.
pub fn all(site: &Site, context: &CommandContext) -> Vec<Finding> {
    let Some(side) = &site.keep else { return Vec::new() };
    let mut findings = server_side::all(&side.server, context);
    for service in site.config.services.iter().filter(|service| is_served_here(service, site)) {
        findings.extend(match &service.sockets {
            None => listener(service, &side.listeners).into_iter().collect(),
            Some(sockets) => elsewhere::all(service, &sockets.netns, side, context),
        });
        findings.extend(nat(service, side));
    }
    if let Err(reason) = &side.rules {
        findings.push(Finding::ok("nat", "host", format!("not checked: {reason}")));
    }
    findings.extend(site.servers.iter().map(|server| holder(server, site, context)));
    findings
}

/// Whether a service takes TCP and has a server on this host.
pub(super) fn is_served_here(service: &Service, site: &Site) -> bool {
    let own = |address| site.addresses.iter().any(|own| own.address == address);
    service.takes_tcp() && service.servers.iter().any(|server| own(server.address))
}

/// Connections that this host's sockets do not hold look as if another server held them.
fn listener(service: &Service, listeners: &[Listener]) -> Option<Finding> {
    // A service for all protocols may have no TCP.
    service.protocol?;
    let subject = service.target();
    if let Some(found) = listeners.iter().find(|listener| takes(listener, service)) {
        return Some(Finding::ok("listener", subject, format!("a socket listens on {}", found.local)));
    }
    let meaning = "role `keep` finds a connection among the sockets of this network namespace: those of a container, or \
                   behind address translation, it takes for another server's, hands their packets on, and they end in a \
                   reset";
    let any = if service.address.addr().is_ipv4() { "0.0.0.0" } else { "::" };
    let cure = format!(
        "let the server listen in this network namespace, on {} or {any}; or name that of its sockets, as in sockets = \
         \"NETNS\" of the service",
        service.address.addr()
    );
    Some(Finding::bad(Level::Failure, "listener", subject, "no socket listens for it here", meaning).cure(cure))
}

/// A rule that translates the service's address gives its connections to other sockets.
fn nat(service: &Service, side: &KeepSide) -> Option<Finding> {
    let rules = side.rules.as_ref().ok()?;
    let seen = format!("a rule of address translation: {}", translation::of(service, rules)?);
    let finding = Finding::bad(Level::Failure, "nat", service.target(), seen, translation::MEANING);
    Some(finding.cure(translation::CURE))
}

/// A server that takes flows, is drained, or is of an earlier list: each may hold connections.
fn holder(server: &ServerFacts, site: &Site, context: &CommandContext) -> Finding {
    let address = server.address;
    let of = if server.former { "previous" } else { "present" };
    let seen = |text: &str| format!("of the {of} list of {}: {text}", server.service);
    let meaning = "packets of its connections that arrive here cannot be handed on to it: these connections break";
    let bad = |level, text: &str| Finding::bad(level, "holder", address.to_string(), seen(text), meaning);
    let gone = "where the machine is gone for good, remove it from the lists `previous`";
    match (server.mac, server.answers.len()) {
        (None, _) if site.room.is_some() => bad(Level::Failure, "its MAC is not known to the instance")
            .cure(format!("`{}` looks for it again, and so does the agent; {gone}", context.modlb("apply FILE"))),
        (None, 0) => bad(Level::Failure, "it does not answer, and no MAC is configured").cure(gone),
        (Some(mac), 0) if !server.given && server.route.is_ok() => {
            let level = if server.former { Level::Warning } else { Level::Failure };
            bad(level, &format!("no answer; packets go to {mac}")).cure(gone)
        }
        (Some(mac), 1..) if !server.answers.contains(&mac) => {
            let answers: Vec<_> = server.answers.iter().map(ToString::to_string).collect();
            bad(Level::Failure, &format!("answers at {}, packets go to {mac}", answers.join(" and ")))
                .cure(format!("`{}` looks for it again", context.modlb("apply FILE")))
        }
        (Some(mac), _) => Finding::ok("holder", address.to_string(), seen(&format!("at {mac}"))),
        (None, _) => Finding::ok("holder", address.to_string(), seen("it answers")),
    }
}
