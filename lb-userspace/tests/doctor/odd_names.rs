//! Names that mean something to a shell or to sysctl: the commands that are printed run as they stand.

use crate::{
    complaints, need_root, run,
    support::{modlb::Modlb, namespace::Namespace},
};

/// A namespace with spaces and quotes in its name, and an interface with what else a name may contain.
#[test]
fn odd_names_are_quoted_for_a_shell() {
    need_root!();
    let namespace = Namespace::new("it's $a b");
    let modlb = Modlb::new(&namespace);
    for name in ["x;y'$z", "a\"b&c|d", "`id`", "eth0.7"] {
        namespace.ip(&format!("link add {name} type veth peer name peer"));
        namespace.ip("link set peer up");
        let found = || complaints(&modlb, name).into_iter().find(|finding| finding.check == "link");
        let down = found().unwrap();
        assert_eq!(down.subject, name);
        run(&down);
        assert!(found().is_none(), "{name}");
        let peer = complaints(&modlb, name).into_iter().find(|finding| finding.check == "peer").unwrap();
        run(&peer);
        assert!(complaints(&modlb, name).iter().all(|finding| finding.check != "peer"), "{name}");
        let remove = std::process::Command::new(env!("CARGO_BIN_EXE_modlb"))
            .args(["--netns", namespace.name(), "dev", "pass", "peer", "--remove"])
            .status();
        assert!(remove.unwrap().success());
        namespace.ip(&format!("link del {name}"));
    }
}

/// sysctl(8) would read a dot as the end of the name.
#[test]
fn settings_of_an_interface_with_a_dot_are_mended() {
    need_root!();
    for name in ["eth0.7", "a;b.c"] {
        let namespace = Namespace::new("dot ted");
        namespace.ip(&format!("link add {name} type veth peer name peer"));
        namespace.ip(&format!("link set {name} up"));
        namespace.ip("link set peer up");
        namespace.ip("addr add 203.0.113.10/32 dev lo");
        namespace.run("sysctl", "-w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
        namespace.run("sysctl", &format!("-w net/ipv4/conf/{name}/arp_ignore=3"));
        let modlb = Modlb::new(&namespace);
        let found = || {
            let all = complaints(&modlb, "--server --service 203.0.113.10");
            all.into_iter().find(|finding| finding.check == "arp_ignore")
        };
        run(&found().unwrap());
        assert!(found().is_none(), "{name}");
    }
}
