//! The BPF file system: nothing is attached that would end with the command.

use crate::{
    Gateway, need_root,
    support::{
        container::{contained, refused_in_netns_exec, with_own_mounts},
        namespace::Namespace,
    },
    web,
};

/// The options that name the instance, and a configuration for it.
fn attach(gateway: &Gateway) -> (String, String) {
    let file = gateway.modlb.file("mounts.toml", &web(&[11, 12]));
    let modlb = format!("modlb --instance {}", gateway.modlb.instance());
    let attach = format!("{modlb} attach eth0 --mode generic --config {}", file.display());
    (modlb, attach)
}

fn has_program(namespace: &Namespace) -> bool {
    namespace.run("ip", "link show eth0").contains("xdp")
}

#[test]
fn attaching_by_ip_netns_exec_is_refused() {
    need_root!();
    let gateway = Gateway::new();
    let (modlb, attach) = attach(&gateway);
    let name = gateway.namespace.name();
    // Also into a file system that was mounted for the command.
    let mounted = format!("mount -t bpf bpf /sys/fs/bpf && {attach}");
    let passed = format!("{modlb} dev pass eth0");
    for script in [&attach, &mounted, &passed] {
        let error = refused_in_netns_exec(&gateway.namespace, script);
        assert!(error.contains("would end with this command"), "{script}: {error}");
        assert!(error.contains(&format!("use `modlb --netns {name} …`")), "{script}: {error}");
        assert!(!has_program(&gateway.namespace) && !gateway.modlb.pins().exists(), "{script}");
    }
    // The way out is one.
    gateway.modlb.attach("eth0 --mode generic", &web(&[11]));
    assert!(has_program(&gateway.namespace));
}

/// Commands that would see another BPF file system say so, instead of that nothing runs.
#[test]
fn an_instance_that_mounts_hide_is_not_called_missing() {
    need_root!();
    let gateway = Gateway::new();
    let (modlb, attach) = attach(&gateway);
    gateway.modlb.attach("eth0 --mode generic", &web(&[11, 12]));
    let file = gateway.modlb.file("other.toml", &web(&[11]));
    for arguments in [
        "status",
        "servers",
        "stats",
        "export",
        "server down web 10.0.0.11",
        "standby",
        "upgrade",
        "detach",
        "explain 198.51.100.7:1 203.0.113.10:80",
        &format!("apply {}", file.display()),
    ] {
        let error = refused_in_netns_exec(&gateway.namespace, &format!("{modlb} {arguments}"));
        assert!(error.contains("is visible from here") && error.contains("modlb --netns"), "{arguments}: {error}");
    }
    assert!(refused_in_netns_exec(&gateway.namespace, &attach).contains("would end with this command"));
    let doctor = refused_in_netns_exec(&gateway.namespace, &format!("{modlb} doctor eth0"));
    assert!(doctor.contains("failure  bpffs") && doctor.contains("modlb --netns"), "{doctor}");
    assert_eq!(gateway.modlb.json("status")["services"][0]["n"], 2);
}

/// A unit with private mounts has a copy of the mount, in which pins stay.
#[test]
fn a_copy_of_the_mount_is_as_good() {
    need_root!();
    let (gateway, other) = (Gateway::new(), Gateway::new());
    // Makes sure that it is mounted.
    other.modlb.attach("eth0 --mode generic", &web(&[11]));
    let (_, attach) = attach(&gateway);
    let attach = attach.replace("modlb --", &format!("modlb --netns {} --", gateway.namespace.name()));
    let gone = with_own_mounts(&format!("umount /sys/fs/bpf; if {attach}; then exit 1; fi"));
    assert!(gone.contains("would end") && gone.contains("nsenter --mount=/proc/1/ns/mnt -- modlb"), "{gone}");
    with_own_mounts(&attach);
    assert!(has_program(&gateway.namespace));
    gateway.modlb.ok("server down web 10.0.0.11");
}

/// A container has a first process of its own: what is mounted there lasts as long as the container.
#[test]
fn in_a_container_it_is_mounted_for_the_container() {
    need_root!();
    let gateway = Gateway::new();
    let (modlb, attach) = attach(&gateway);
    let said = contained(
        &gateway.namespace,
        &format!(
            "refused unshare --mount {attach}
             same \"$(findmnt -n /sys/fs/bpf || true)\" ''
             {attach}
             same \"$(stat -c %a:%u /sys/fs/bpf)\" 1700:0
             same \"$(stat -c %a:%u /sys/fs/bpf/modlb /sys/fs/bpf/modlb/* | sort -u)\" 700:0
             unshare --mount {modlb} server down web 10.0.0.11
             {modlb} servers
             {modlb} detach
             [ ! -e /sys/fs/bpf/modlb ] && [ ! -e /run/modlb ]"
        ),
    );
    assert!(said.contains("first mount it for everybody: `nsenter --mount=/proc/1/ns/mnt -- mount -t bpf"), "{said}");
    assert!(said.contains("10.0.0.11") && said.contains("detached; nothing is left"), "{said}");
}
