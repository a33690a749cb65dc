//! The interface itself: its state, its membership, its queues, and the kernel's filter on it.

use super::queues;
use crate::{
    config::model::Role,
    doctor::{
        command::{CommandContext, setting},
        facts::{HostFacts, Nic, Site},
        finding::{Finding, Level},
    },
    net::shell::quoted,
};

/// All checks.
pub fn all(nic: &Nic, site: &Site, host: &HostFacts, context: &CommandContext) -> Vec<Finding> {
    let mut findings = vec![state(nic, context)];
    findings.extend(membership(nic, context));
    findings.extend(queues::all(nic, host, context));
    // In role `keep`, the checks of servers judge it: frames that servers hand on come by the same interface.
    if site.role != Role::Keep {
        findings.push(reverse_path(nic, site, context));
    }
    findings
}

fn state(nic: &Nic, context: &CommandContext) -> Finding {
    let name = &nic.name;
    if !nic.up {
        return Finding::bad(Level::Failure, "link", name, "down", "no packet can arrive or leave")
            .run(context.here(&format!("ip link set dev {} up", quoted(name))));
    }
    if !nic.carrier {
        let meaning = "no packet can arrive or leave";
        return Finding::bad(Level::Failure, "link", name, "up, but without a carrier", meaning)
            .cure("plug in the cable, or bring up the switch's port or the other end");
    }
    match nic.mac {
        None => Finding::bad(
            Level::Failure,
            "link",
            name,
            "it has no MAC",
            "modlb reaches servers by MAC and works only on Ethernet",
        )
        .cure("attach to an Ethernet interface"),
        Some(mac) => Finding::ok("link", name, format!("up, {mac}, MTU {}", nic.mtu)),
    }
}

/// XDP sees frames before a bridge or a bond does.
fn membership(nic: &Nic, context: &CommandContext) -> Option<Finding> {
    let controller = nic.controller.as_ref()?;
    let (name, of) = (&nic.name, &controller.name);
    let seen = format!("a member of the {} {of}", controller.kind);
    let leave = context.here(&format!("ip link set dev {} nomaster", quoted(name)));
    let (level, meaning) = match controller.kind.as_str() {
        "bridge" if controller.mac == nic.mac => (
            Level::Warning,
            format!(
                "modlb takes frames for services before {of} sees them, and does not serve its other ports; to serve \
                 those, attach to {of}, which works only in generic mode"
            ),
        ),
        "bridge" => (
            Level::Failure,
            format!(
                "packets for this host are addressed to the MAC of {of}, which is not that of {name}: they pass as \
                 `not_ours` and are not balanced; attach to {of} instead, or remove {name} from it and give {name} the \
                 addresses"
            ),
        ),
        kind => (
            Level::Failure,
            format!(
                "packets that arrive by other members are not balanced; attach to {of} instead, which runs programs \
                 natively if all members can (Linux 5.15, kind {kind})"
            ),
        ),
    };
    Some(Finding::bad(level, "membership", name, seen, meaning).run(leave))
}

/// Packets that pass to this host go through the kernel's reverse path filter.
fn reverse_path(nic: &Nic, site: &Site, context: &CommandContext) -> Finding {
    const STRICT: u32 = 1;
    let name = &nic.name;
    let seen = format!("rp_filter = {}", nic.rp_filter);
    if nic.rp_filter != STRICT || !(site.here || site.role == Role::Member) {
        return Finding::ok("rp_filter", name, seen);
    }
    let meaning =
        "this host is also a server: the kernel drops clients' packets that it would not answer by this interface";
    Finding::bad(Level::Warning, "rp_filter", name, seen + ", strict", meaning).run(context.sysctl(&[setting(
        name,
        "rp_filter",
        2,
    )]))
}
