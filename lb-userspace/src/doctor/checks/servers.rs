//! The servers: does each of them answer, and where packets for it go?

use crate::{
    config::model::Role,
    doctor::{
        facts::{ServerFacts, Site},
        finding::{Finding, Level},
        ways::Ways,
    },
};

/// All of them; a member sends nothing to others.
pub fn all(site: &Site, ways: &Ways) -> Vec<Finding> {
    if site.role == Role::Member {
        return Vec::new();
    }
    site.servers.iter().map(|server| one(server, ways)).collect()
}

fn one(server: &ServerFacts, ways: &Ways) -> Finding {
    let ServerFacts { service, address, .. } = server;
    let subject = address.to_string();
    let bad = |level, seen: String, meaning: &str| Finding::bad(level, "server", &subject, seen, meaning);
    let name = match &server.way {
        Ok(name) => name,
        Err(reason) if server.given => {
            let seen = format!("{reason}; frames go to the MAC that is configured");
            return Finding::ok("server", subject, seen);
        }
        Err(reason) => {
            return bad(Level::Failure, reason.clone(), "its MAC cannot be found out").cure(
                "a server must be on a link of this host: give this host an address in its network, or the server's mac in the \
                 configuration",
            );
        }
    };
    let macs: Vec<_> = server.answers.iter().map(ToString::to_string).collect();
    let down = || ways.modlb(&format!("server down {service} {address}"));
    match (&server.answers.len(), server.mac) {
        (0, _) => {
            let entry =
                server.entry.as_ref().map_or_else(String::new, |state| format!(" (the kernel's entry: {state})"));
            let asked = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
            let seen = format!("no answer by {asked} on {name}{entry}");
            if server.given {
                let meaning = "its MAC is configured, so packets are sent to it all the same; nobody may be there";
                return bad(Level::Warning, seen, meaning).run(down());
            }
            bad(Level::Failure, seen, "packets that the formula gives to it are lost while it counts as up").run(down())
        }
        (1, None) => Finding::ok("server", subject, format!("answers on {name} at {}", macs[0])),
        (1, Some(mac)) if server.answers.contains(&mac) => {
            Finding::ok("server", subject, format!("answers on {name} at {mac}"))
        }
        (1, Some(mac)) => {
            let seen = format!("answers on {name} at {}, packets go to {mac}", macs[0]);
            let finding = bad(Level::Failure, seen, "what the formula gives to it goes to somebody else, or to nobody");
            if server.given {
                finding.cure(format!("correct its mac in the configuration to {}, and `modlb apply` it", macs[0]))
            } else {
                finding.run(ways.modlb(&format!("server up {service} {address}")))
            }
        }
        (_, _) => {
            let seen = format!("{} answer on {name}", macs.join(" and "));
            bad(Level::Failure, seen, "two machines have its address: packets go to whichever answered first")
                .cure("take the address from one of them")
        }
    }
}
