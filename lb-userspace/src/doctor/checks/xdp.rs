//! Whether programs run in the driver, and meet whole frames there.

use super::host::version;
use crate::{
    config::model::Role,
    doctor::{
        facts::{Host, Namespace, Nic, Owner, Peer, Site},
        finding::{Finding, Level},
        ways::{Ways, within},
    },
    net::XdpMode,
};

/// Drivers that run programs natively, where the kernel is too old (before 6.3) to be asked: those of the list in bcc's
/// docs/kernel-versions.md, section "XDP", by the names that they give themselves. Of others nothing is said.
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

/// Bytes of a page of 4,096 that a frame in one buffer cannot have: see `datapath::variant`.
const MOST_IN_ONE_BUFFER: u32 = 4_096 - 256 - 14 - 320;

/// All of it; who steers has no XDP program.
pub fn all(nic: &Nic, site: &Site, host: &Host, ways: &Ways) -> Vec<Finding> {
    if site.role == Role::Steer {
        return Vec::new();
    }
    let mut findings = vec![program(nic, ways), driver(nic, site, ways)];
    findings.extend(mtu(nic, host, ways));
    findings.push(merging(nic, ways));
    findings.extend(tags(nic, site, ways));
    findings.extend(nic.peer.as_ref().map(|peer| other_end(nic, peer, ways)));
    findings
}

/// `None`: nobody knows.
fn is_native(nic: &Nic) -> Option<bool> {
    match (nic.xdp, nic.driver.as_deref()) {
        (Some(features), _) => Some(features.native()),
        (None, Some(driver)) => NATIVE.contains(&driver).then_some(true),
        (None, None) => None,
    }
}

/// Other programs.
fn program(nic: &Nic, ways: &Ways) -> Finding {
    let name = &nic.name;
    let Some(program) = &nic.program else {
        return if nic.attached {
            let meaning = "the link holds no program any more: nothing is balanced here";
            Finding::bad(Level::Failure, "program", name, "no XDP program", meaning).run(format!(
                "{} && {}",
                ways.modlb(&format!("detach {name}")),
                ways.modlb(&format!("attach {name}"))
            ))
        } else {
            Finding::ok("program", name, "no XDP program")
        };
    };
    let seen = format!("{} (program {}, {})", program.name, program.id, program.mode.name());
    let foreign = "only one program can be there: `modlb attach` will be refused";
    let bad = |seen: String| Finding::bad(Level::Failure, "program", name, seen, foreign);
    match &program.owner {
        Owner::Ours => Finding::ok("program", name, seen),
        Owner::Instance(other) => bad(format!("{seen} of instance {other}"))
            .run(Ways { instance: other.clone(), ..ways.clone() }.modlb(&format!("detach {name}"))),
        Owner::Pass => bad(format!("{seen} of `modlb dev pass`")).run(ways.modlb(&format!("dev pass {name} --remove"))),
        Owner::Other(None) => {
            let mode = match program.mode {
                XdpMode::Native => "xdpdrv",
                XdpMode::Generic => "xdpgeneric",
                XdpMode::Offload => "xdpoffload",
            };
            bad(format!("{seen}, somebody else's")).run(ways.here(&format!("ip link set dev {name} {mode} off")))
        }
        Owner::Other(Some(link)) => bad(format!("{seen}, somebody else's, held by the link {link}"))
            .run(format!("bpftool link detach id {link}")),
    }
}

/// Native or generic.
fn driver(nic: &Nic, site: &Site, ways: &Ways) -> Finding {
    let name = &nic.name;
    let driver = nic.driver.as_deref().or(nic.kind.as_deref()).unwrap_or("an unknown driver");
    let source = if nic.xdp.is_some() { "the driver says" } else { "by the driver's name" };
    let slow = "frames go through the network stack first, which is several times slower";
    match (is_native(nic), nic.is_generic()) {
        (Some(false), _) => Finding::bad(
            Level::Warning,
            "mode",
            name,
            format!("{driver} cannot run programs natively ({source})"),
            format!("generic mode remains: {slow}"),
        )
        .cure("use an interface whose driver can, if that is too slow; docs/PERFORMANCE.md has figures"),
        (Some(true) | None, true) => {
            let seen = format!("generic, though {driver} may be able to do better");
            let finding = Finding::bad(Level::Warning, "mode", name, seen, slow);
            match again(nic, site, ways) {
                Some(command) => finding.run(command),
                None => finding.cure("give its peer, a veth's other end, an XDP program; then detach and attach anew"),
            }
        }
        (Some(true), false) => Finding::ok("mode", name, format!("{driver} runs programs natively ({source})")),
        (None, false) => Finding::ok("mode", name, format!("whether {driver} runs programs natively is not known")),
    }
}

/// Attaches anew, natively if that works. A link keeps its mode, and an instance ends with its last interface. `None`: a
/// veth's peer would drop everything then, and is out of reach.
fn again(nic: &Nic, site: &Site, ways: &Ways) -> Option<String> {
    let first = match &nic.peer {
        Some(peer) if !peer.program => pass(peer, ways)? + " && ",
        Some(_) | None => String::new(),
    };
    let file = format!("/run/modlb-{}.toml", ways.instance);
    let (name, export, detach) = (&nic.name, ways.modlb("export"), ways.modlb(&format!("detach {}", nic.name)));
    let standby = if site.standby { " --standby" } else { "" };
    let attach = ways.modlb(&format!("attach {name} --config {file}{standby}"));
    Some(format!("{first}{export} > {file} && {detach} && {attach} && rm {file}"))
}

/// Gives a veth's peer a program; `None`: nothing here leads to it.
fn pass(peer: &Peer, ways: &Ways) -> Option<String> {
    let netns = match &peer.namespace {
        None => ways.netns.as_deref(),
        Some(Namespace::Named(netns)) => Some(netns.as_str()),
        Some(Namespace::Unknown) => return None,
    };
    let netns = netns.map_or_else(String::new, |netns| format!(" --netns {netns}"));
    Some(format!("modlb{netns} dev pass {}", peer.name))
}

fn mtu(nic: &Nic, host: &Host, ways: &Ways) -> Option<Finding> {
    let (name, mtu) = (&nic.name, nic.mtu);
    if mtu <= MOST_IN_ONE_BUFFER || nic.is_generic() {
        return None;
    }
    let seen = format!("MTU {mtu}; one buffer holds about {MOST_IN_ONE_BUFFER}");
    let lower = ways.here(&format!("ip link set dev {name} mtu {MOST_IN_ONE_BUFFER}"));
    let bad = |meaning: &str| Finding::bad(Level::Failure, "mtu", name, seen.clone(), meaning).run(lower);
    if nic.several_buffers {
        return Some(Finding::ok("mtu", name, seen + ", attached for several"));
    }
    if version(&host.release).is_some_and(|version| version < (5, 18)) {
        return Some(bad(
            "programs take frames in several buffers since Linux 5.18: natively `modlb attach` will be refused",
        ));
    }
    Some(match nic.xdp {
        Some(features) if !features.several_buffers() => bad(
            "the driver takes no programs for frames in several buffers: larger ones are lost, or natively nothing runs",
        ),
        Some(_) | None => Finding::ok("mtu", name, seen + ", and programs can take several"),
    })
}

/// What merges packets before a program meets them.
fn merging(nic: &Nic, ways: &Ways) -> Finding {
    let name = &nic.name;
    let hardware: Vec<_> =
        [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")].into_iter().filter(|(feature, _)| nic.is_on(feature)).collect();
    if let [_, ..] = hardware[..] {
        let off: Vec<_> = hardware.iter().map(|(_, option)| format!("{option} off")).collect();
        let names: Vec<_> = hardware.iter().map(|(_, option)| *option).collect();
        let meaning = "the card merges packets of a connection before a program meets them: drivers refuse native programs \
                       then, or servers get packets that are larger than the MTU";
        return Finding::bad(Level::Failure, "merging", name, format!("{} on", names.join(" and ")), meaning)
            .run(ways.here(&format!("ethtool -K {name} {}", off.join(" "))));
    }
    if nic.is_generic() && nic.is_on("rx-gro") {
        let meaning = "in generic mode packets of a connection are merged before the program meets them, and are sent on so: \
                       what cannot be cut again by the sending card is lost";
        return Finding::bad(Level::Warning, "merging", name, "gro on, in generic mode", meaning)
            .run(ways.here(&format!("ethtool -K {name} gro off")));
    }
    Finding::ok("merging", name, "packets arrive as they were sent")
}

/// Tags that are taken off before a program meets the frame.
fn tags(nic: &Nic, site: &Site, ways: &Ways) -> Option<Finding> {
    let name = &nic.name;
    let servers = || site.config.services.iter().flat_map(|service| &service.servers);
    let wanted = servers().any(|server| server.vlan.is_some());
    if !wanted && nic.vlans.is_empty() {
        return None;
    }
    let why = if wanted {
        "servers have a `vlan`, but tags of arriving frames are handed over beside them: such frames count as untagged"
    } else {
        "the interface has VLANs, but tags of arriving frames are handed over beside them: natively, frames that modlb sends \
         on lose theirs"
    };
    let warning = |seen: String| Finding::bad(Level::Warning, "tags", name, seen, why);
    match &nic.peer {
        // A veth's frames come as its peer sent them.
        Some(peer) => match peer.vlan_offload {
            Some(true) => {
                let command = format!("ethtool -K {} txvlan off tx-vlan-stag-hw-insert off", peer.name);
                let finding = warning(format!("txvlan on at its peer {}", peer.name));
                Some(match &peer.namespace {
                    None => finding.run(ways.here(&command)),
                    Some(Namespace::Named(netns)) => finding.run(within(netns, &command)),
                    Some(Namespace::Unknown) => finding.cure(format!("in the namespace of {}: {command}", peer.name)),
                })
            }
            Some(false) => Some(Finding::ok("tags", name, format!("txvlan off at its peer {}", peer.name))),
            None => Some(
                warning(format!("the settings of its peer {} are not known", peer.name))
                    .cure(format!("in its namespace: ethtool -K {} txvlan off", peer.name)),
            ),
        },
        None if nic.is_on("rx-vlan-hw-parse") => {
            Some(warning("rxvlan on".to_owned()).run(ways.here(&format!("ethtool -K {name} rxvlan off"))))
        }
        None => Some(Finding::ok("tags", name, "rxvlan off")),
    }
}

/// A veth takes back what a program sends only if its peer has a program, too.
fn other_end(nic: &Nic, peer: &Peer, ways: &Ways) -> Finding {
    let (name, end) = (&nic.name, &peer.name);
    let place = match &peer.namespace {
        None => String::new(),
        Some(Namespace::Named(netns)) => format!(" in the network namespace {netns}"),
        Some(Namespace::Unknown) => " in a network namespace that has no name here".to_owned(),
    };
    if peer.program || nic.is_generic() {
        let has = if peer.program { "it has a program" } else { "it needs no program in generic mode" };
        return Finding::ok("peer", name, format!("{end}{place}: {has}"));
    }
    let meaning = "what modlb sends back natively is dropped at the peer, silently";
    let finding = Finding::bad(Level::Failure, "peer", name, format!("{end}{place}: no XDP program"), meaning);
    match pass(peer, ways) {
        Some(command) => finding.run(command),
        None => finding.cure(format!(
            "from where that namespace can be entered: `modlb --netns PATH dev pass {end}`; or attach with --mode generic"
        )),
    }
}
