//! Attaching and detaching: what is refused, and that nothing is left behind.

use std::{fs, process::Command};

use crate::{
    Gateway, need_root,
    support::{
        namespace::{Namespace, run},
        wait::wait,
    },
    web,
};

/// How many lines of `bpftool KIND show` contain `needle`.
fn bpftool(what: &str, needle: &str) -> usize {
    let output = run(Command::new(bpftool_path()).args([what, "show"]));
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(needle)).count()
}

/// Debian keeps it in a directory that only root's path has.
fn bpftool_path() -> &'static str {
    if fs::exists("/usr/sbin/bpftool").unwrap_or(false) { "/usr/sbin/bpftool" } else { "bpftool" }
}

/// The ids of the instance's pinned maps.
fn map_ids(gateway: &Gateway) -> Vec<u32> {
    let pins = fs::read_dir(gateway.modlb.pins()).unwrap().map(|entry| entry.unwrap().path());
    let maps =
        pins.filter(|pin| pin.file_name().is_some_and(|name| name.to_string_lossy().starts_with(char::is_uppercase)));
    maps.map(|pin| aya::maps::MapInfo::from_pin(pin).unwrap().id()).collect()
}

#[test]
fn detach_leaves_nothing() {
    need_root!();
    let gateway = Gateway::new();
    let said = gateway.modlb.attach("eth0 --mode generic", &web(&[11, 12]));
    let lines =
        "attached to eth0 (generic mode)\n+ service web: 203.0.113.10:80/tcp, 2 servers\n1 service, 2 servers\n";
    let room = said.strip_prefix(lines).unwrap();
    assert!(
        room.starts_with("room for 4,096 services, 262,144 slots and ") && room.ends_with(" MiB of memory\n"),
        "{said}"
    );
    let maps = map_ids(&gateway);
    assert_eq!(maps.len(), 20);
    let program = gateway.modlb.json("status")["interfaces"][0]["program_id"].as_u64().unwrap();
    assert_eq!(bpftool("prog", &format!("{program}: ")), 1);
    assert_eq!(gateway.modlb.ok("detach"), "detached; nothing is left\n");
    assert!(!gateway.modlb.pins().exists());
    // The kernel frees unreferenced objects a moment later.
    let gone = || {
        !gateway.namespace.run("ip", "link show eth0").contains("xdp")
            && bpftool("prog", &format!("{program}: ")) == 0
            && maps.iter().all(|id| aya::maps::loaded_maps().filter_map(Result::ok).all(|map| map.id() != *id))
    };
    wait(gone, || "the kernel still has a link, a program or a map".to_owned());
    assert!(gateway.modlb.fails("status").starts_with("no instance"));
    assert!(gateway.modlb.fails("detach").starts_with("no instance"));
}

#[test]
fn a_refused_attach_leaves_nothing() {
    need_root!();
    let gateway = Gateway::new();
    let bad = gateway.modlb.file("bad.toml", &web(&[11, 11]));
    let good = gateway.modlb.file("good.toml", &web(&[11]));
    let good = good.display();
    let twice = format!("{}:10:1: service web: server 10.0.0.11 listed twice", bad.display());
    for (arguments, error) in [
        (format!("attach eth0 --config {}", bad.display()), &*twice),
        (format!("attach eth9 --config {good}"), "there is no interface \"eth9\""),
        (format!("attach --config {good}"), "name an interface"),
        ("attach".to_owned(), "name an interface"),
        (format!("attach lo --config {good}"), "lo: it has no Ethernet address"),
        ("attach eth0 --config /does/not/exist".to_owned(), "/does/not/exist: No such file"),
        (
            format!(
                "attach eth0 --max-servers 1 --config {}",
                gateway.modlb.file("two.toml", &web(&[11, 12])).display()
            ),
            "server entries: 2 are needed, the instance holds 1",
        ),
    ] {
        let found = gateway.modlb.fails(&arguments);
        assert!(found.starts_with(error), "modlb {arguments}: {found}");
        assert!(!gateway.modlb.pins().exists(), "modlb {arguments} left pins");
    }
}

/// `--mode auto` takes the fastest mode that works, and warns when that is the slow one.
#[test]
fn auto_takes_the_fastest_mode_that_works() {
    need_root!();
    let gateway = Gateway::new();
    // A bridge has no native mode.
    gateway.namespace.ip("link add br0 type bridge");
    gateway.namespace.ip("link set br0 up");
    let file = gateway.modlb.file("web.toml", &web(&[11]));
    let refused = gateway.modlb.fails(&format!("attach br0 --mode native --config {}", file.display()));
    assert!(
        refused.starts_with("br0: the driver cannot run XDP programs") && refused.contains("--mode generic"),
        "{refused}"
    );
    let output = gateway.modlb.output(&format!("attach br0 eth0 --config {}", file.display()));
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && warning.starts_with("warn: br0: the driver cannot run XDP programs"),
        "{warning}"
    );
    let status = gateway.modlb.json("status");
    let modes: Vec<_> =
        status["interfaces"].as_array().unwrap().iter().map(|i| (i["name"].clone(), i["mode"].clone())).collect();
    assert!(
        modes.contains(&("br0".into(), "generic".into())) && modes.contains(&("eth0".into(), "native".into())),
        "{modes:?}"
    );
    let conflict = gateway.modlb.fails("attach eth0 --mode generic");
    assert!(conflict.starts_with("eth0 is attached in native mode, which cannot be changed"), "{conflict}");
}

#[test]
fn interfaces_are_attached_and_detached_one_by_one() {
    need_root!();
    let gateway = Gateway::new();
    let names = || -> Vec<String> {
        let status = gateway.modlb.json("status");
        status["interfaces"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
    };
    gateway.modlb.attach("eth0", &web(&[11]));
    assert_eq!(
        gateway.modlb.ok("attach eth1"),
        "replaced on eth0 (native mode)\nattached to eth1 (native mode)\n1 service, 1 server\n"
    );
    assert_eq!(names(), ["eth0", "eth1"]);
    assert!(gateway.modlb.ok("export").starts_with("interfaces = [\"eth0\", \"eth1\"]\n"));
    let error = gateway.modlb.fails("detach eth1 peer1");
    assert!(error.starts_with("peer1: instance ") && error.contains("is not attached to it"), "{error}");
    assert_eq!(names(), ["eth0", "eth1"]);
    assert_eq!(gateway.modlb.ok("detach eth0"), "detached from eth0\n");
    assert_eq!(names(), ["eth1"]);
    gateway.namespace.ip("link del eth1");
    assert_eq!(names(), ["eth1"]);
    assert_eq!(gateway.modlb.json("status")["interfaces"][0]["state"], "gone");
    gateway.modlb.ok("attach eth0");
    assert_eq!(names(), ["eth0"]);
    assert_eq!(gateway.modlb.ok("detach eth0"), "detached; nothing is left\n");
    assert!(!gateway.modlb.pins().exists());
}

#[test]
fn capacities_cannot_be_changed() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0 --max-services 7", &web(&[11]));
    let error = gateway.modlb.fails("attach eth0 --max-services 8");
    assert!(error.starts_with("`--max-services 8`: the instance was made with 7"), "{error}");
    gateway.modlb.ok("attach eth0 --max-services 7");
    gateway.modlb.ok("attach eth0");
}

#[test]
fn an_instance_can_start_on_standby() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0 --standby", &web(&[11]));
    assert_eq!(gateway.modlb.json("status")["state"], "standby");
    gateway.modlb.ok("upgrade");
    gateway.modlb.ok("attach eth0");
    assert_eq!(gateway.modlb.json("status")["state"], "standby");
    gateway.modlb.ok("activate");
    assert_eq!(gateway.modlb.json("status")["state"], "active");
    gateway.modlb.ok("attach eth0 --standby");
    assert_eq!(gateway.modlb.json("status")["state"], "standby");
    let explained = gateway.modlb.json("explain 198.51.100.1:1 203.0.113.10:80");
    assert_eq!(explained["outcome"], "standby");
}

#[test]
fn another_program_is_not_replaced() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.ok("dev pass eth0");
    let file = gateway.modlb.file("web.toml", &web(&[11]));
    let error = gateway.modlb.fails(&format!("attach eth0 --config {}", file.display()));
    assert!(error.starts_with("eth0: another XDP program (program "), "{error}");
    assert!(!gateway.modlb.pins().exists());
    gateway.modlb.ok("dev pass eth0 --remove");
    assert!(
        gateway.modlb.fails("dev pass eth0 --remove").starts_with("eth0: `modlb dev pass` did not attach anything")
    );
    gateway.modlb.attach("eth0", &web(&[11]));
}

#[test]
fn two_instances_are_independent() {
    need_root!();
    let gateway = Gateway::new();
    let other = crate::support::modlb::Modlb::new(&gateway.namespace);
    gateway.modlb.attach("eth0", &web(&[11]));
    other.attach("eth1", &web(&[12, 13]));
    gateway.modlb.ok("detach");
    assert_eq!(other.json("status")["services"][0]["n"], 2);
    let elsewhere = Namespace::new("elsewhere");
    let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
    command.args(["--netns", elsewhere.name(), "--instance", other.instance(), "status"]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("works in another network namespace"), "{error}");
}

#[test]
fn attach_mounts_the_bpf_file_system() {
    need_root!();
    let gateway = Gateway::new();
    let output = unmounted(&gateway, |modlb, attach| {
        format!(
            "{attach}; grep -q ' /sys/fs/bpf bpf ' /proc/mounts; \
             {modlb} status; {modlb} detach; test ! -e /sys/fs/bpf/modlb"
        )
    });
    assert!(output.contains("web      203.0.113.10:80/tcp  1/1"));
    assert!(!gateway.modlb.pins().exists());
}

/// If two commands find it missing, only one mounts it: a second mount would hide what the first has pinned. Here a
/// shell is the first, and mounts it when the other waits for the lock.
#[test]
fn the_bpf_file_system_is_mounted_once() {
    need_root!();
    let gateway = Gateway::new();
    let output = unmounted(&gateway, |modlb, attach| {
        format!(
            "install -d -m 0700 /run/modlb; flock --close /run/modlb/mount.lock sh -c '{attach} & \
             for try in $(seq 600); do grep -q -e \"-> FLOCK.* $! \" /proc/locks && break; sleep 0.1; done; \
             grep -e \"-> FLOCK.* $! \" /proc/locks && mount -t bpf bpf /sys/fs/bpf'; \
             for try in $(seq 600); do {modlb} status && break; sleep 0.1; done; {modlb} detach; \
             grep -c ' /sys/fs/bpf bpf ' /proc/mounts"
        )
    });
    assert!(output.contains("web      203.0.113.10:80/tcp  1/1"), "{output}");
    assert!(output.ends_with("\n1\n"), "{output}");
}

/// The output of a script in a container, where the BPF file system is not mounted. `script` makes it from the call of
/// modlb, and from one that attaches.
fn unmounted(gateway: &Gateway, script: impl Fn(&str, &str) -> String) -> String {
    let [netns, instance] = [gateway.namespace.name(), gateway.modlb.instance()];
    let modlb = format!("{} --netns {netns} --instance {instance}", env!("CARGO_BIN_EXE_modlb"));
    let attach = format!("{modlb} attach eth0 --config {}", gateway.modlb.file("web.toml", &web(&[11])).display());
    let script = format!("set -e; while umount /sys/fs/bpf 2>/dev/null; do :; done; {}", script(&modlb, &attach));
    let container = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let output = run(Command::new("unshare").args(container).args(["sh", "-c", &script]));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
