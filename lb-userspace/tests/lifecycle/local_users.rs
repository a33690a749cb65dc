//! Users of the machine: they can hold no lock, make no directory beforehand, and read no record.

use crate::{Gateway, need_root, support::container::contained, web};

/// A script's preamble: `$modlb`, `$file` and `$pins`.
fn settings(gateway: &Gateway) -> String {
    let file = gateway.modlb.file("users.toml", &web(&[11, 12]));
    let instance = gateway.modlb.instance();
    format!(
        "modlb='modlb --instance {instance}'; instance={instance}; file={}; pins=/sys/fs/bpf/modlb/{instance}
         attach=\"$modlb attach eth0 --mode generic --config $file\"
         unused() {{ case $(ip link show eth0) in *xdp*) echo attached; exit 9 ;; esac; }}",
        file.display()
    )
}

/// Whether modlb has mounted the BPF file system, or somebody else did with the kernel's default mode.
#[test]
fn nobody_else_can_hold_a_lock_or_read_a_record() {
    need_root!();
    let gateway = Gateway::new();
    for mount in [":", "mount -t bpf bpf /sys/fs/bpf; chmod 1777 /sys/fs/bpf"] {
        let script = format!(
            "{}
             {mount}
             $attach
             sed s/11/13/ $file >/run/changed.toml
             $modlb apply /run/changed.toml --confirm 600
             (cd / && exec $modlb agent --config $file --listen none) & agent=$!
             until [ -e /run/modlb/$instance.agent ]; do sleep 0.02; done
             for path in /sys/fs/bpf/modlb $pins /run/modlb /run/modlb/$instance.agent /run/modlb/$instance.pending; do
                 [ -e $path ] || {{ echo missing: $path; exit 9; }}
                 same \"$(nobody flock --nonblock $path true 2>&1 >/dev/null | grep -c 'Permission denied')\" 1
             done
             refused nobody cat /run/modlb/$instance.pending
             refused nobody cp /run/modlb/$instance.pending /tmp
             refused nobody mkdir $pins-2
             same \"$(stat -c %a:%u /run/modlb /sys/fs/bpf/modlb $pins | sort -u)\" 700:0
             same \"$(stat -c %a:%u /run/modlb/* | sort -u)\" 600:0
             refused nobody $modlb status
             kill $agent; wait $agent || true
             $modlb confirm
             $modlb detach
             [ ! -e /run/modlb ]",
            settings(&gateway)
        );
        let said = contained(&gateway.namespace, &script);
        assert!(said.contains("detached; nothing is left"), "{said}");
    }
}

/// Directories of the previous version could be opened by all.
#[test]
fn directories_of_the_previous_version_are_closed() {
    need_root!();
    let gateway = Gateway::new();
    let script = format!(
        "{}
         mount -t bpf bpf /sys/fs/bpf; chmod 1777 /sys/fs/bpf
         $attach
         chmod 0755 /sys/fs/bpf/modlb $pins
         nobody flock --nonblock $pins true
         $modlb status >/dev/null
         $modlb server down web 10.0.0.11
         same \"$(stat -c %a:%u /sys/fs/bpf/modlb $pins | sort -u)\" 700:0
         refused nobody flock --nonblock $pins true
         install -d -m 0755 /run/modlb
         $modlb apply $file --confirm 600
         same \"$(stat -c %a /run/modlb)\" 700
         $modlb confirm
         $modlb detach",
        settings(&gateway)
    );
    contained(&gateway.namespace, &script);
}

#[test]
fn what_another_user_made_is_refused() {
    need_root!();
    let gateway = Gateway::new();
    let script = format!(
        "{}
         mount -t bpf bpf /sys/fs/bpf; chmod 1777 /sys/fs/bpf
         nobody mkdir /sys/fs/bpf/modlb
         refused $attach; unused
         refused $modlb status; refused $modlb detach; refused $modlb server down web 10.0.0.11
         nobody rmdir /sys/fs/bpf/modlb
         nobody ln -s /tmp /sys/fs/bpf/modlb
         refused $attach; unused
         rm /sys/fs/bpf/modlb
         install -d -m 0777 /sys/fs/bpf/modlb
         refused $attach; unused
         nobody mkdir $pins
         chmod 0700 /sys/fs/bpf/modlb
         refused $attach; unused
         rm -r /sys/fs/bpf/modlb
         nobody mkdir /sys/fs/bpf/modlb-pass
         refused $modlb dev pass eth0; unused
         chmod 0777 /sys/fs/bpf
         refused $attach; unused
         chmod 1777 /sys/fs/bpf
         $attach
         nobody mkdir /sys/fs/bpf/modlb-trace
         refused $modlb trace --count 1
         install -d -o 65534 /run/modlb
         refused $modlb apply $file --confirm 600
         refused $modlb agent --config $file --listen none
         rmdir /run/modlb
         nobody mkdir /sys/fs/bpf/modlb-upgrade
         $modlb server down web 10.0.0.11
         $modlb status",
        settings(&gateway)
    );
    let said = contained(&gateway.namespace, &script);
    let count = |what: &str| said.matches(what).count();
    assert_eq!(count("/sys/fs/bpf/modlb belongs to user 65534"), 4, "{said}");
    assert_eq!(count("/sys/fs/bpf/modlb is a symbolic link"), 1, "{said}");
    assert_eq!(count("/sys/fs/bpf/modlb can be written to by other users (mode 0777)"), 1, "{said}");
    assert_eq!(count("/sys/fs/bpf can be written to by other users (mode 0777)"), 1, "{said}");
    assert_eq!(count(&format!("{} belongs to user 65534", gateway.modlb.pins().display())), 1, "{said}");
    assert_eq!(count("/sys/fs/bpf/modlb-pass belongs to user 65534"), 1, "{said}");
    assert_eq!(count("/sys/fs/bpf/modlb-trace belongs to user 65534"), 1, "{said}");
    assert_eq!(count("/run/modlb belongs to user 65534"), 2, "{said}");
    // What is wrong can be put right as the message says.
    assert!(said.contains("remove it (`rm -r /sys/fs/bpf/modlb`)"), "{said}");
}
