//! An interface as such: is it there, whose is it, and what does the kernel do with what arrives by it?

use crate::{
    config::model::Role,
    doctor::{
        facts::{Host, Nic, Site},
        finding::{Finding, Level},
        ways::Ways,
    },
};

/// All of it.
pub fn all(nic: &Nic, site: &Site, host: &Host, ways: &Ways) -> Vec<Finding> {
    let mut findings = vec![state(nic, ways)];
    findings.extend(membership(nic, ways));
    findings.extend(queues(nic, host, ways));
    findings.push(reverse_path(nic, site, ways));
    findings
}

fn state(nic: &Nic, ways: &Ways) -> Finding {
    let name = &nic.name;
    if !nic.up {
        return Finding::bad(Level::Failure, "link", name, "down", "nothing arrives by it and nothing leaves by it")
            .run(ways.here(&format!("ip link set dev {name} up")));
    }
    if !nic.carrier {
        let meaning = "nothing arrives by it and nothing leaves by it";
        return Finding::bad(Level::Failure, "link", name, "up, but without a carrier", meaning)
            .cure("put the cable in, or bring up the switch's port or the other end");
    }
    match nic.mac {
        None => Finding::bad(
            Level::Failure,
            "link",
            name,
            "it has no MAC",
            "servers are reached by MACs; modlb works on Ethernet alone",
        )
        .cure("attach to an Ethernet interface"),
        Some(mac) => Finding::ok("link", name, format!("up, {mac}, MTU {}", nic.mtu)),
    }
}

/// XDP meets frames before a bridge or a bond does.
fn membership(nic: &Nic, ways: &Ways) -> Option<Finding> {
    let controller = nic.controller.as_ref()?;
    let (name, of) = (&nic.name, &controller.name);
    let seen = format!("a member of the {} {of}", controller.kind);
    let leave = ways.here(&format!("ip link set dev {name} nomaster"));
    let (level, meaning) = match controller.kind.as_str() {
        "bridge" if controller.mac == nic.mac => (
            Level::Warning,
            format!(
                "frames for services are taken before {of} sees them, and its other ports are not served; attach to {of} if \
                 they are to be, which only works in generic mode"
            ),
        ),
        "bridge" => (
            Level::Failure,
            format!(
                "packets for this host are addressed to the MAC of {of}, which is not that of {name}: they pass as `not_ours` \
                 and are not balanced; attach to {of} instead, or take {name} out and give it the addresses"
            ),
        ),
        kind => (
            Level::Failure,
            format!(
                "what arrives by other members is not balanced; attach to {of} instead, which runs programs natively where \
                 all members can (Linux 5.15, kind {kind})"
            ),
        ),
    };
    Some(Finding::bad(level, "membership", name, seen, meaning).run(leave))
}

fn queues(nic: &Nic, host: &Host, ways: &Ways) -> Option<Finding> {
    let channels = nic.channels?;
    let (name, cpus) = (&nic.name, host.cpus);
    let (have, most, option) = match (channels.max_combined, channels.max_rx) {
        (0, most) => (channels.rx, most, "rx"),
        (most, _) => (channels.combined + channels.rx, most, "combined"),
    };
    let seen = format!("{have} receive queue{} for {cpus} CPU{}", plural(have), plural(cpus));
    if have >= cpus.min(most) {
        return Some(Finding::ok("queues", name, seen));
    }
    let meaning = "a queue is served by one CPU at a time: the others have no part in forwarding";
    Some(
        Finding::bad(Level::Warning, "queues", name, seen, meaning)
            .run(ways.here(&format!("ethtool -L {name} {option} {}", cpus.min(most)))),
    )
}

const fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}

/// What is passed to this host goes through the kernel's reverse path filter.
fn reverse_path(nic: &Nic, site: &Site, ways: &Ways) -> Finding {
    const STRICT: u32 = 1;
    let name = &nic.name;
    let seen = format!("rp_filter = {}", nic.rp_filter);
    if nic.rp_filter != STRICT || !(site.here || site.role == Role::Member) {
        return Finding::ok("rp_filter", name, seen);
    }
    let meaning =
        "this host is a server, too: the kernel drops clients' packets that it would not answer by this interface";
    Finding::bad(Level::Warning, "rp_filter", name, seen + ", strict", meaning)
        .run(ways.sysctl(&[format!("net.ipv4.conf.{name}.rp_filter=2")]))
}
