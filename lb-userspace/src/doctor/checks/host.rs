//! The kernel, and this process's privileges.

use crate::doctor::{
    command::CommandContext,
    facts::{HostFacts, Instance},
    finding::{Finding, Level},
};

/// The oldest supported kernel, and what newer ones add.
const FLOOR: (u32, u32) = (5, 10);
const ADDED: [((u32, u32), &str); 5] = [
    ((5, 15), "native XDP on bonds"),
    ((5, 16), "managed neighbours"),
    ((5, 18), "frames in several buffers"),
    ((6, 3), "features of drivers"),
    ((6, 6), "TCX"),
];

/// The capabilities that modlb needs, by number (capabilities(7)); CAP_SYS_ADMIN includes the last two.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const NEEDED: [(u32, &str); 3] = [(CAP_NET_ADMIN, "CAP_NET_ADMIN"), (39, "CAP_BPF"), (38, "CAP_PERFMON")];

/// All checks.
pub fn all(host: &HostFacts, context: &CommandContext) -> Vec<Finding> {
    vec![kernel(host), btf(host), bpffs(host), capabilities(host), jit(host, context)]
}

/// Major and minor version.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel(host: &HostFacts) -> Finding {
    let release = &host.release;
    let Some(version) = version(release) else {
        return Finding::ok("kernel", "host", format!("{release}, an unknown form of version"));
    };
    let list = |has: bool| {
        let names: Vec<_> =
            ADDED.iter().filter(|(since, _)| (version >= *since) == has).map(|(_, name)| *name).collect();
        names.join(", ")
    };
    if version < FLOOR {
        return Finding::bad(
            Level::Failure,
            "kernel",
            "host",
            release,
            "older than 5.10: the datapath will not load, or is not known to work",
        )
        .cure("install a newer kernel; docs/KERNELS.md lists the tested ones");
    }
    let (has, lacks) = (list(true), list(false));
    let lacks = if lacks.is_empty() { lacks } else { format!("; too old for: {lacks}") };
    Finding::ok("kernel", "host", format!("{release}: {has}{lacks}"))
}

fn btf(host: &HostFacts) -> Finding {
    if host.btf {
        return Finding::ok("btf", "host", "the kernel's types can be read");
    }
    let meaning = "the kernel was built without CONFIG_DEBUG_INFO_BTF; modlb works, but tools such as bpftrace do not";
    Finding::bad(Level::Warning, "btf", "host", "/sys/kernel/btf/vmlinux is missing", meaning)
        .cure("use the distribution's own kernel, or build one with CONFIG_DEBUG_INFO_BTF=y")
}

fn bpffs(host: &HostFacts) -> Finding {
    if let Some(way_out) = &host.own_mounts {
        let seen = "this process has mounts of its own, as under `ip netns exec`";
        let meaning = "it sees no instance of others, and what it attached would end with it; `modlb attach` refuses";
        return Finding::bad(Level::Failure, "bpffs", "host", seen, meaning).cure(way_out);
    }
    if host.bpffs {
        return Finding::ok("bpffs", "host", "mounted at /sys/fs/bpf");
    }
    let meaning = "instances are pinned there; `modlb attach` mounts it, but until then other commands see no instance";
    Finding::bad(Level::Warning, "bpffs", "host", "not mounted at /sys/fs/bpf", meaning)
        .run("mount -t bpf -o mode=0700 bpf /sys/fs/bpf")
}

fn capabilities(host: &HostFacts) -> Finding {
    let has = |number: u32| host.capabilities >> number & 1 == 1;
    let stands_in = |number| number != CAP_NET_ADMIN && has(CAP_SYS_ADMIN);
    let missing: Vec<_> =
        NEEDED.into_iter().filter(|(number, _)| !has(*number) && !stands_in(*number)).map(|(_, name)| name).collect();
    if missing.is_empty() {
        return Finding::ok("capabilities", "host", "this process may load and attach programs");
    }
    let meaning = "the kernel will refuse `modlb attach` and every change";
    Finding::bad(Level::Failure, "capabilities", "host", format!("{} missing", missing.join(", ")), meaning)
        .cure("run modlb as root, or with these capabilities (in a unit of systemd: AmbientCapabilities=)")
}

fn jit(host: &HostFacts, context: &CommandContext) -> Finding {
    match (host.jit, host.harden) {
        (None, _) => Finding::ok("jit", "host", "net.core.bpf_jit_enable is not visible from this network namespace"),
        (Some(0), _) => Finding::bad(
            Level::Warning,
            "jit",
            "host",
            "net.core.bpf_jit_enable = 0",
            "programs are interpreted, which makes each packet several times slower; loaded programs stay interpreted",
        )
        .run(format!("sysctl -w net.core.bpf_jit_enable=1 && {}", context.modlb("upgrade"))),
        (Some(_), Some(2)) => Finding::bad(
            Level::Warning,
            "jit",
            "host",
            "net.core.bpf_jit_harden = 2",
            "constants are blinded even in root's programs, which costs time on every packet",
        )
        .run(format!("sysctl -w net.core.bpf_jit_harden=1 && {}", context.modlb("upgrade"))),
        (Some(_), Some(_) | None) => Finding::ok("jit", "host", "programs are compiled"),
    }
}

/// Checks of the instance that concern no single interface.
pub fn instance(instance: &Instance, context: &CommandContext) -> Vec<Finding> {
    let (standby, unconfirmed, differences) = match instance {
        Instance::Missing => {
            return vec![Finding::ok("instance", &context.instance, "not running")];
        }
        Instance::Unusable(reason) => {
            let meaning = "no command can read or change it as it is";
            return vec![
                Finding::bad(Level::Failure, "instance", &context.instance, reason, meaning)
                    .cure("see the remedies named in what was seen"),
            ];
        }
        Instance::Running { standby, unconfirmed, differences } => (standby, unconfirmed, differences),
    };
    let state = if *standby { "on standby: every packet passes untouched until `modlb activate`" } else { "active" };
    let mut findings = vec![Finding::ok("instance", &context.instance, state)];
    if let Some((seconds, waiting)) = unconfirmed {
        let (seen, meaning) = if *waiting {
            (
                format!("a change is not confirmed, {seconds} s left"),
                "it will be rolled back then; other changes are refused until then",
            )
        } else {
            (
                "a change is not confirmed".to_owned(),
                "the process that would roll it back is gone; other changes are refused",
            )
        };
        findings.push(
            Finding::bad(Level::Warning, "unconfirmed", &context.instance, seen, meaning).run(context.modlb("confirm")),
        );
    }
    findings.extend(differences.iter().map(|(interface, text)| {
        let subject = interface.as_ref().unwrap_or(&context.instance);
        let meaning = "another program or the kernel changed what modlb had set up, so packets are lost or misdirected";
        let finding = Finding::bad(Level::Failure, "changed", subject, text, meaning);
        finding.cure(format!("`{}` mends it; `modlb agent` does so within seconds", context.modlb("apply FILE")))
    }));
    findings
}
