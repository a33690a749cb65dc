//! The servers: does each one answer, and at the MAC that packets go to?

use crate::{
    config::model::Role,
    doctor::{
        command::CommandContext,
        facts::{ServerFacts, Site},
        finding::{Finding, Level},
    },
    net::shell::quoted,
};

/// All servers; a member sends nothing to them, and role `keep` has its own checks.
pub fn all(site: &Site, context: &CommandContext) -> Vec<Finding> {
    if matches!(site.role, Role::Member | Role::Keep) {
        return Vec::new();
    }
    site.servers.iter().map(|server| one(server, context)).collect()
}

fn one(server: &ServerFacts, context: &CommandContext) -> Finding {
    let ServerFacts { service, address, .. } = server;
    let subject = address.to_string();
    let bad = |level, seen: String, meaning: &str| Finding::bad(level, "server", &subject, seen, meaning);
    let name = match &server.route {
        Ok(name) => name,
        Err(reason) if server.given => {
            let seen = format!("{reason}; frames go to the MAC that is configured");
            return Finding::ok("server", subject, seen);
        }
        Err(reason) => {
            return bad(Level::Failure, reason.clone(), "its MAC cannot be found").cure(
                "a server must be on a link of this host: give this host an address in its network, or configure the \
                 server's mac",
            );
        }
    };
    let macs: Vec<_> = server.answers.iter().map(ToString::to_string).collect();
    let down = || context.modlb(&format!("server down {} {address}", quoted(service)));
    match (&server.answers.len(), server.mac) {
        (0, _) => {
            let entry =
                server.entry.as_ref().map_or_else(String::new, |state| format!(" (the kernel's entry: {state})"));
            let asked = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
            let seen = format!("no answer by {asked} on {name}{entry}");
            if server.given {
                let meaning = "its MAC is configured, so packets are still sent there, perhaps to no machine";
                return bad(Level::Warning, seen, meaning).run(down());
            }
            bad(Level::Failure, seen, "packets for it are lost while it counts as up").run(down())
        }
        (1, None) => Finding::ok("server", subject, format!("answers on {name} at {}", macs[0])),
        (1, Some(mac)) if server.answers.contains(&mac) => {
            Finding::ok("server", subject, format!("answers on {name} at {mac}"))
        }
        (1, Some(mac)) => {
            let seen = format!("answers on {name} at {}, packets go to {mac}", macs[0]);
            let finding = bad(Level::Failure, seen, "its packets go to another machine, or to none");
            if server.given {
                finding.cure(format!("change its mac in the configuration to {}, and `modlb apply` it", macs[0]))
            } else {
                finding.run(context.modlb(&format!("server up {} {address}", quoted(service))))
            }
        }
        (_, _) => {
            let seen = format!("{} answer on {name}", macs.join(" and "));
            bad(Level::Failure, seen, "two machines have its address: packets go to whichever answered first")
                .cure("remove the address from one of them")
        }
    }
}
