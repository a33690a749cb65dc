//! Role `keep`: are the services' connections sockets of this host, and is every server known that may hold others?

use std::net::IpAddr;

use ipnet::IpNet;
use lb_common::flow::protocol::TCP;

use super::{elsewhere, listeners::takes, server_side};
use crate::{
    config::model::Service,
    doctor::{
        command::CommandContext,
        facts::{KeepSide, ServerFacts, Site},
        finding::{Finding, Level},
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
        findings.extend(translation(service, side));
    }
    if let Err(reason) = &side.rules {
        findings.push(Finding::ok("nat", "host", format!("not checked: {reason}")));
    }
    findings.extend(site.servers.iter().map(|server| holder(server, site, context)));
    findings
}

/// Whether a service takes TCP and has a server on this host.
fn is_served_here(service: &Service, site: &Site) -> bool {
    let own = |address| site.addresses.iter().any(|own| own.address == address);
    service.protocol.is_none_or(|protocol| protocol == TCP)
        && service.direction.takes_forward()
        && service.servers.iter().any(|server| own(server.address))
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
fn translation(service: &Service, side: &KeepSide) -> Option<Finding> {
    let rules = side.rules.as_ref().ok()?;
    let rule = rules.iter().find(|rule| translates(rule, service.address, service.port))?;
    let meaning = "the kernel translates the address before it looks for a socket, so none of this host has the \
                   service's address: role `keep` takes each connection for another server's";
    let seen = format!("a rule of address translation: {rule}");
    Some(
        Finding::bad(Level::Failure, "nat", service.target(), seen, meaning)
            .cure("remove the rule (a container's published port makes one), and let the server listen on this host"),
    )
}

/// Whether a rule, as `nft` or `iptables-save` prints it, translates TCP to this destination, as far as its words say.
/// What it does not say counts as any.
fn translates(rule: &str, address: IpNet, port: Option<u16>) -> bool {
    let words: Vec<_> = rule.split_whitespace().collect();
    let translates = words.iter().any(|word| matches!(*word, "dnat" | "redirect" | "DNAT" | "REDIRECT"));
    let after = |names: &[&str]| {
        let place = words.iter().position(|word| names.contains(word))?;
        // What it negates or lists is too much for this: it counts as any.
        words.get(place + 1).copied().filter(|word| !word.starts_with(['!', '{', '@', '$']))
    };
    let is_udp = words.windows(2).any(|pair| matches!(pair, ["udp", "dport"] | ["-p", "udp"]));
    let of_address = after(&["daddr", "-d"]).and_then(parse_net).is_none_or(|net| overlap(net, address));
    let of_port = match (after(&["dport", "--dport"]), port) {
        (Some(word), Some(port)) => is_in(word, port),
        (None, _) | (_, None) => true,
    };
    // A rule for other addresses of the family may translate to it; one of the other family cannot match.
    let family = words.windows(2).find_map(|pair| match pair {
        ["ip", "daddr" | "saddr"] => Some(true),
        ["ip6", "daddr" | "saddr"] => Some(false),
        _ => None,
    });
    let of_family = family.is_none_or(|four| four == address.addr().is_ipv4());
    translates && !is_udp && of_address && of_port && of_family
}

fn parse_net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.addr()) || b.contains(&a.addr())
}

/// Whether a port is in text such as `80`, `80-90` or `80:90`; other text, such as a name, may mean it.
fn is_in(text: &str, port: u16) -> bool {
    let mut bounds = text.split(['-', ':']).map(|bound| bound.parse::<u16>().ok());
    match (bounds.next().flatten(), bounds.next()) {
        (Some(first), None) => first == port,
        (Some(first), Some(Some(last))) => (first..=last).contains(&port),
        (_, _) => true,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_translate_a_service_are_recognised() {
        let service: IpNet = "203.0.113.10/32".parse().unwrap();
        for (rule, expected) in [
            ("ip daddr 203.0.113.10 tcp dport 80 dnat to 172.17.0.2:80", true),
            ("ip daddr 203.0.113.0/24 tcp dport 80 counter packets 0 bytes 0 dnat to 172.17.0.2:80", true),
            ("-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80", true),
            ("-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 70:90 -j REDIRECT --to-ports 8080", true),
            ("tcp dport { 80, 443 } redirect to :8080", true),
            ("ip daddr 203.0.113.11 tcp dport 80 dnat to 172.17.0.2:80", false),
            ("ip daddr 203.0.113.10 tcp dport 81 dnat to 172.17.0.2:80", false),
            ("ip daddr 203.0.113.10 udp dport 80 dnat to 172.17.0.2:80", false),
            ("-A PREROUTING -d 203.0.113.10/32 -p udp -j DNAT --to-destination 172.17.0.2", false),
            ("ip6 daddr 2001:db8::1 tcp dport 80 dnat to [fd00::1]:80", false),
            ("ip daddr 203.0.113.10 tcp dport 80 accept", false),
            ("-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE", false),
        ] {
            assert_eq!(translates(rule, service, Some(80)), expected, "{rule}");
        }
        assert!(translates("ip daddr 203.0.113.10 tcp dport 81 dnat to 10.0.0.1", service, None));
    }
}
