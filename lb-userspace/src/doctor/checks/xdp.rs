//! Whether programs run in the driver and see whole frames there.

use super::{host::version, queues};
use crate::{
    doctor::{
        command::{CommandContext, within},
        facts::{HostFacts, Namespace, Nic, Owner, Peer, Site},
        finding::{Finding, Level},
    },
    net::{XdpMode, shell::quoted},
};

/// Drivers with native XDP, for kernels that do not report it (before 6.3): the list in bcc's docs/kernel-versions.md,
/// section "XDP", by the drivers' own names. Others count as unknown.
const NATIVE: [&str; 15] = [
    "bnxt_en",
    "cpsw",
    "fsl_dpaa2_eth",
    "i40e",
    "ixgbe",
    "ixgbevf",
    "mlx4_en",
    "mlx5_core",
    "netsec",
    "nfp",
    "nicvf",
    "qede",
    "tun",
    "veth",
    "virtio_net",
];

/// The largest MTU whose frames fit one buffer of a 4,096-byte page: see the datapath's variants.
const MOST_IN_ONE_BUFFER: u32 = 4_096 - 256 - 14 - 320;

/// All checks; roles `steer` and `keep` have no XDP program.
pub fn all(nic: &Nic, site: &Site, host: &HostFacts, context: &CommandContext) -> Vec<Finding> {
    if !site.role.runs_xdp() {
        return Vec::new();
    }
    let mut findings = vec![program(nic, context), driver(nic, site, host, context)];
    findings.extend(mtu(nic, host, context));
    findings.push(merging(nic, context));
    findings.extend(tags(nic, site, context));
    findings.extend(nic.peer.as_ref().map(|peer| other_end(nic, peer, context)));
    findings
}

/// `None`: unknown.
fn is_native(nic: &Nic) -> Option<bool> {
    match (nic.xdp, nic.driver.as_deref()) {
        (Some(features), _) => Some(features.native()),
        (None, Some(driver)) => NATIVE.contains(&driver).then_some(true),
        (None, None) => None,
    }
}

/// The program on the interface, ours or a foreign one.
fn program(nic: &Nic, context: &CommandContext) -> Finding {
    let name = &nic.name;
    let Some(program) = &nic.program else {
        return if nic.attached {
            let meaning = "the link has lost its program: nothing is balanced here";
            Finding::bad(Level::Failure, "program", name, "no XDP program", meaning).run(format!(
                "{} && {}",
                context.modlb(&format!("detach {}", quoted(name))),
                context.modlb(&format!("attach {}", quoted(name)))
            ))
        } else {
            Finding::ok("program", name, "no XDP program")
        };
    };
    let seen = format!("{} (program {}, {})", program.name, program.id, program.mode.name());
    let foreign = "an interface can have only one program: `modlb attach` will be refused";
    let bad = |seen: String| Finding::bad(Level::Failure, "program", name, seen, foreign);
    match &program.owner {
        Owner::Ours => Finding::ok("program", name, seen),
        Owner::Instance(other) => bad(format!("{seen} of instance {other}")).run(
            CommandContext { instance: other.clone(), ..context.clone() }.modlb(&format!("detach {}", quoted(name))),
        ),
        Owner::Pass => {
            let remove = context.modlb(&format!("dev pass {} --remove", quoted(name)));
            bad(format!("{seen} of `modlb dev pass`")).run(remove)
        }
        Owner::Other(None) => {
            let mode = match program.mode {
                XdpMode::Native => "xdpdrv",
                XdpMode::Generic => "xdpgeneric",
                XdpMode::Offload => "xdpoffload",
            };
            let remove = context.here(&format!("ip link set dev {} {mode} off", quoted(name)));
            bad(format!("{seen}, a foreign program")).run(remove)
        }
        Owner::Other(Some(link)) => bad(format!("{seen}, a foreign program, held by the link {link}"))
            .run(format!("bpftool link detach id {link}")),
    }
}

/// Native or generic mode.
fn driver(nic: &Nic, site: &Site, host: &HostFacts, context: &CommandContext) -> Finding {
    let name = &nic.name;
    let driver = nic.driver.as_deref().or(nic.kind.as_deref()).unwrap_or("an unknown driver");
    let source = if nic.xdp.is_some() { "reported by the driver" } else { "by the driver's name" };
    let slow = "frames go through the network stack first, which is several times slower";
    if let Some((queues, limit)) = queues::excess(nic, host) {
        let seen = format!("{driver} refuses native programs with {} receive queues", queues.receiving());
        let fewer = context.here(&queues.set(name, limit.most));
        let again = again(nic, site, context).filter(|_| nic.attached).map(|again| format!(" && {again}"));
        return Finding::bad(
            Level::Warning,
            "mode",
            name,
            seen,
            format!("{}; generic mode remains: {slow}", limit.why),
        )
        .run(fewer + &again.unwrap_or_default());
    }
    match (is_native(nic), nic.is_generic()) {
        (Some(false), _) => Finding::bad(
            Level::Warning,
            "mode",
            name,
            format!("{driver} cannot run programs natively ({source})"),
            format!("generic mode remains: {slow}"),
        )
        .cure("if that is too slow, use an interface whose driver can; docs/PERFORMANCE.md has figures"),
        (Some(true) | None, true) => {
            let seen = format!("generic, though {driver} may support native mode");
            let finding = Finding::bad(Level::Warning, "mode", name, seen, slow);
            match again(nic, site, context) {
                Some(command) => finding.run(command),
                None => {
                    finding.cure("give its peer, the veth's other end, an XDP program; then detach and attach again")
                }
            }
        }
        (Some(true), false) => Finding::ok("mode", name, format!("{driver} runs programs natively ({source})")),
        (None, false) => Finding::ok("mode", name, format!("not known whether {driver} runs programs natively")),
    }
}

/// A command that attaches again, natively if that works. It exports first: a link keeps its mode, and an instance ends
/// with its last interface. `None`: the veth's peer has no program, would drop everything, and is out of reach.
fn again(nic: &Nic, site: &Site, context: &CommandContext) -> Option<String> {
    let first = match &nic.peer {
        Some(peer) if !peer.program => pass(peer, context)? + " && ",
        Some(_) | None => String::new(),
    };
    let file = format!("/run/modlb-{}.toml", context.instance);
    let (name, export) = (quoted(&nic.name), context.modlb("export"));
    let detach = context.modlb(&format!("detach {name}"));
    let standby = if site.standby { " --standby" } else { "" };
    let attach = context.modlb(&format!("attach {name} --config {file}{standby}"));
    // The file is for root only, as everything of modlb's in /run.
    Some(format!("{first}(umask 077; {export} > {file}) && {detach} && {attach} && rm {file}"))
}

/// A command that gives a veth's peer a program; `None`: it is out of reach.
fn pass(peer: &Peer, context: &CommandContext) -> Option<String> {
    let netns = match &peer.namespace {
        None => context.netns.as_deref(),
        Some(Namespace::Named(netns)) => Some(netns.as_str()),
        Some(Namespace::Unknown) => return None,
    };
    let netns = netns.map_or_else(String::new, |netns| format!(" --netns {}", quoted(netns)));
    Some(format!("modlb{netns} dev pass {}", quoted(&peer.name)))
}

fn mtu(nic: &Nic, host: &HostFacts, context: &CommandContext) -> Option<Finding> {
    let (name, mtu) = (&nic.name, nic.mtu);
    if mtu <= MOST_IN_ONE_BUFFER || nic.is_generic() {
        return None;
    }
    let seen = format!("MTU {mtu}; one buffer holds about {MOST_IN_ONE_BUFFER}");
    let lower = context.here(&format!("ip link set dev {} mtu {MOST_IN_ONE_BUFFER}", quoted(name)));
    let bad = |meaning: &str| Finding::bad(Level::Failure, "mtu", name, seen.clone(), meaning).run(lower);
    if nic.several_buffers {
        return Some(Finding::ok("mtu", name, seen + ", attached for several"));
    }
    if version(&host.release).is_some_and(|version| version < (5, 18)) {
        return Some(bad("programs for several buffers need Linux 5.18: native `modlb attach` will be refused"));
    }
    Some(match nic.xdp {
        Some(features) if !features.several_buffers() => bad(
            "the driver supports no programs for several buffers: larger frames are lost, or native mode is refused",
        ),
        Some(_) | None => Finding::ok("mtu", name, seen + ", and the driver supports several"),
    })
}

/// Offloads that merge packets before a program sees them.
fn merging(nic: &Nic, context: &CommandContext) -> Finding {
    let name = &nic.name;
    let hardware: Vec<_> =
        [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")].into_iter().filter(|(feature, _)| nic.is_on(feature)).collect();
    if let [_, ..] = hardware[..] {
        let off: Vec<_> = hardware.iter().map(|(_, option)| format!("{option} off")).collect();
        let names: Vec<_> = hardware.iter().map(|(_, option)| *option).collect();
        let meaning = "the card merges packets of a connection before a program sees them: drivers then refuse native \
                       programs, or servers get packets larger than the MTU";
        return Finding::bad(Level::Failure, "merging", name, format!("{} on", names.join(" and ")), meaning)
            .run(context.here(&format!("ethtool -K {} {}", quoted(name), off.join(" "))));
    }
    if nic.is_generic() && nic.is_on("rx-gro") {
        let meaning = "in generic mode the kernel merges packets of a connection before the program sees them, and \
                       they are sent merged: those that the sending card cannot split again are lost";
        return Finding::bad(Level::Warning, "merging", name, "gro on, in generic mode", meaning)
            .run(context.here(&format!("ethtool -K {} gro off", quoted(name))));
    }
    Finding::ok("merging", name, "packets arrive as they were sent")
}

/// VLAN tags that are stripped before a program sees the frame.
fn tags(nic: &Nic, site: &Site, context: &CommandContext) -> Option<Finding> {
    let name = &nic.name;
    let servers = || site.config.services.iter().flat_map(|service| &service.servers);
    let wanted = servers().any(|server| server.vlan.is_some());
    if !wanted && nic.vlans.is_empty() {
        return None;
    }
    let why = if wanted {
        "servers have a `vlan`, but tags of arriving frames are stripped: such frames count as untagged"
    } else {
        "the interface has VLANs, but tags of arriving frames are stripped: natively, frames that modlb forwards lose \
         their tag"
    };
    let warning = |seen: String| Finding::bad(Level::Warning, "tags", name, seen, why);
    match &nic.peer {
        // A veth receives frames as its peer sent them.
        Some(peer) => match peer.vlan_offload {
            Some(true) => {
                let command = format!("ethtool -K {} txvlan off tx-vlan-stag-hw-insert off", quoted(&peer.name));
                let finding = warning(format!("txvlan on at its peer {}", peer.name));
                Some(match &peer.namespace {
                    None => finding.run(context.here(&command)),
                    Some(Namespace::Named(netns)) => finding.run(within(netns, &command)),
                    Some(Namespace::Unknown) => finding.cure(format!("in the namespace of {}: {command}", peer.name)),
                })
            }
            Some(false) => Some(Finding::ok("tags", name, format!("txvlan off at its peer {}", peer.name))),
            None => Some(
                warning(format!("the settings of its peer {} are unknown", peer.name))
                    .cure(format!("in its namespace: ethtool -K {} txvlan off", quoted(&peer.name))),
            ),
        },
        None if nic.is_on("rx-vlan-hw-parse") => {
            Some(warning("rxvlan on".to_owned()).run(context.here(&format!("ethtool -K {} rxvlan off", quoted(name)))))
        }
        None => Some(Finding::ok("tags", name, "rxvlan off")),
    }
}

/// A veth accepts frames that a program on its peer sends only if it has a program itself.
fn other_end(nic: &Nic, peer: &Peer, context: &CommandContext) -> Finding {
    let (name, end) = (&nic.name, &peer.name);
    let place = match &peer.namespace {
        None => String::new(),
        Some(Namespace::Named(netns)) => format!(" in the network namespace {netns}"),
        Some(Namespace::Unknown) => " in a network namespace without a name here".to_owned(),
    };
    if peer.program || nic.is_generic() {
        let has = if peer.program { "it has a program" } else { "it needs no program in generic mode" };
        return Finding::ok("peer", name, format!("{end}{place}: {has}"));
    }
    let meaning = "the peer silently drops what modlb sends back natively";
    let finding = Finding::bad(Level::Failure, "peer", name, format!("{end}{place}: no XDP program"), meaning);
    match pass(peer, context) {
        Some(command) => finding.run(command),
        None => finding.cure(format!(
            "where that namespace can be entered, run `modlb --netns PATH dev pass {}`; or attach with --mode generic",
            quoted(end)
        )),
    }
}
