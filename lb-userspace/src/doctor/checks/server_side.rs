//! A server for direct server return: it has the services' addresses without announcing them.

use std::net::IpAddr;

use crate::{
    doctor::{
        command::{CommandContext, setting},
        facts::{ServerLink, ServerSide},
        finding::{Finding, Level},
    },
    net::shell::quoted,
};

/// Values of `arp_ignore` with which loopback's addresses are not announced elsewhere (the kernel's
/// Documentation/networking/ip-sysctl.rst).
const SILENT: [u32; 3] = [1, 2, 8];

/// `arp_announce`: always use the interface's best address.
const BEST: u32 = 2;

/// `rp_filter`: strict.
const STRICT: u32 = 1;

/// All checks.
pub fn all(side: &ServerSide, context: &CommandContext) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &side.services {
        findings.push(address(side, *service, context));
        findings.extend(duplicate(side, *service, context));
    }
    if side.services.iter().any(IpAddr::is_ipv4) {
        findings.extend(
            side.links.iter().flat_map(|link| [arp_ignore(side, link, context), arp_announce(side, link, context)]),
        );
        findings.extend(side.links.iter().map(|link| reverse_path(side, link, context)));
    }
    findings.extend(side.routes.iter().map(route));
    findings
}

/// The prefix length of a single address.
const fn length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The command that adds a service's address to loopback.
fn add(service: IpAddr) -> String {
    let option = if service.is_ipv4() { "" } else { " nodad" };
    format!("ip address add {service}/{} dev lo{option}", length(service))
}

fn address(side: &ServerSide, service: IpAddr, context: &CommandContext) -> Finding {
    let subject = service.to_string();
    let Some(own) = side.addresses.iter().find(|own| own.address == service) else {
        let meaning = "packets that modlb sends here are not for this host: it drops them, or forwards them in a loop";
        return Finding::bad(Level::Failure, "address", subject, "not an address of this host", meaning)
            .run(context.here(&add(service)));
    };
    let name = side.names.get(&own.interface).map_or("?", String::as_str);
    if own.interface != side.loopback && side.links.iter().any(|link| link.name == name) {
        let asks = if service.is_ipv4() { "ARP" } else { "neighbour solicitations" };
        let meaning = format!(
            "this host answers {asks} for it on {name}: clients and routers there send to this server directly, \
             bypassing modlb"
        );
        let remove = context.here(&format!("ip address del {service}/{} dev {}", own.length, quoted(name)));
        return Finding::bad(Level::Failure, "address", subject, format!("on {name}, not on lo"), meaning)
            .run(format!("{remove} && {}", context.here(&add(service))));
    }
    if side.accepted.iter().any(|(address, accepted)| *address == service && !accepted) {
        let meaning = "a route or rule precedes the kernel's table `local`: packets for the address are not accepted";
        return Finding::bad(Level::Failure, "address", subject, format!("on {name}, but not routed here"), meaning)
            .cure(format!("`{}` and `ip rule` show why", context.here(&format!("ip route get {service}"))));
    }
    Finding::ok("address", subject, format!("on {name}"))
}

/// An IPv6 address that is being checked for duplicates, or has failed that check.
fn duplicate(side: &ServerSide, service: IpAddr, context: &CommandContext) -> Option<Finding> {
    let own = side.addresses.iter().find(|own| own.address == service && (own.duplicate || own.tentative))?;
    let name = side.names.get(&own.interface).map_or("?", String::as_str);
    let seen =
        if own.duplicate { "found to be a duplicate (dadfailed)" } else { "being checked for duplicates (tentative)" };
    let meaning = "the kernel does not use such an address; every server has this one, so it must not be checked";
    let remove = context.here(&format!("ip address del {service}/{} dev {}", own.length, quoted(name)));
    Some(
        Finding::bad(Level::Failure, "duplicate", service.to_string(), format!("{seen}, on {name}"), meaning)
            .run(format!("{remove} && {}", context.here(&add(service)))),
    )
}

/// The command that corrects a setting; the larger of both values counts.
fn mend(
    name: &str,
    side: u32,
    link: &ServerLink,
    own: u32,
    wanted: u32,
    good: &[u32],
    context: &CommandContext,
) -> String {
    let mut settings = Vec::new();
    if !good.contains(&side) {
        settings.push(setting("all", name, wanted));
    }
    let all = if good.contains(&side) { side } else { wanted };
    if !good.contains(&all.max(own)) {
        settings.push(setting(&link.name, name, wanted));
    }
    context.sysctl(&settings)
}

fn arp_ignore(side: &ServerSide, link: &ServerLink, context: &CommandContext) -> Finding {
    let (all, own) = (side.all[0], link.own[0]);
    let is = all.max(own);
    let seen = format!("arp_ignore = {is}");
    if SILENT.contains(&is) {
        return Finding::ok("arp_ignore", &link.name, seen);
    }
    let meaning = "this host answers ARP for the services' addresses, though they are on lo: clients and routers send \
                   to it directly, bypassing modlb";
    Finding::bad(Level::Failure, "arp_ignore", &link.name, seen, meaning).run(mend(
        "arp_ignore",
        all,
        link,
        own,
        SILENT[0],
        &SILENT,
        context,
    ))
}

fn arp_announce(side: &ServerSide, link: &ServerLink, context: &CommandContext) -> Finding {
    let (all, own) = (side.all[1], link.own[1]);
    let is = all.max(own);
    let seen = format!("arp_announce = {is}");
    if is == BEST {
        return Finding::ok("arp_announce", &link.name, seen);
    }
    let meaning = "when this host asks for a MAC in order to answer a client, its ARP request contains the service's \
                   address: the router learns that, and sends here directly";
    Finding::bad(Level::Failure, "arp_announce", &link.name, seen, meaning).run(mend(
        "arp_announce",
        all,
        link,
        own,
        BEST,
        &[BEST],
        context,
    ))
}

/// With a single interface, answers always leave by the one that requests arrive on.
fn reverse_path(side: &ServerSide, link: &ServerLink, context: &CommandContext) -> Finding {
    let seen = format!("rp_filter = {}", link.rp_filter);
    if link.rp_filter != STRICT || side.links.len() < 2 {
        return Finding::ok("rp_filter", &link.name, seen);
    }
    let meaning = "requests that come by this interface are dropped if the answer would leave by another";
    Finding::bad(Level::Warning, "rp_filter", &link.name, seen + ", strict", meaning).run(context.sysctl(&[setting(
        &link.name,
        "rp_filter",
        2,
    )]))
}

/// Whether answers reach clients directly.
fn route((service, client, route): &(IpAddr, Option<IpAddr>, Result<String, String>)) -> Finding {
    let to = client.map_or_else(|| "clients anywhere".to_owned(), |client| client.to_string());
    match (route, client) {
        (Ok(name), _) => Finding::ok("route", service.to_string(), format!("answers to {to} leave by {name}")),
        (Err(reason), Some(_)) => {
            let meaning = "this client's requests arrive but are never answered";
            Finding::bad(Level::Failure, "route", service.to_string(), format!("to {to}: {reason}"), meaning)
                .cure("add a route to the client, as with `ip route add default via ROUTER`")
        }
        (Err(_), None) => {
            let meaning = "only clients on networks that this host has a route to get answers";
            Finding::bad(Level::Warning, "route", service.to_string(), format!("to {to}: there is no route"), meaning)
                .cure(
                    "add one, as with `ip route add default via ROUTER`; or name the expected clients with --client \
                 ADDRESS",
                )
        }
    }
}
