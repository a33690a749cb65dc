//! A server's VLAN, from the command line to the commands that show it.

use serde_json::json;

use crate::{Gateway, need_root, web};

#[test]
fn a_vlan_is_kept_and_shown() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11]));
    let add = |arguments: &str| modlb.ok(&format!("server add web {arguments}"));
    assert!(add("10.0.0.12 --mac 02:00:00:00:02:0c --vlan 20").starts_with("+ server web 10.0.0.12\n"));
    add("10.0.0.13 --mac 02:00:00:00:02:0d --vlan 0");

    let servers = modlb.json("servers");
    let vlans: Vec<_> = servers.as_array().unwrap().iter().map(|server| server["vlan"].clone()).collect();
    assert_eq!(vlans, [json!(null), json!(20), json!(0)]);
    let text = modlb.ok("servers");
    assert!(text.contains("02:00:00:00:02:0c        20       1  up"), "{text}");

    // The export equals what is in force.
    let exported = modlb.ok("export");
    assert!(exported.contains("vlan = 20\n") && exported.contains("vlan = 0\n"), "{exported}");
    assert_eq!(modlb.apply(&exported), "nothing to change\n");
    let changed = exported.replace("vlan = 20", "vlan = 21");
    assert_eq!(modlb.apply(&changed), "~ server web 10.0.0.12: vlan 20 → 21\n");
    assert_eq!(
        modlb.apply(&changed.replace("vlan = 0\n", "")),
        "~ server web 10.0.0.13: vlan untagged → as it comes\n"
    );

    // Of three consecutive addresses each names another of the three servers.
    let explained: Vec<_> = (0..3)
        .map(|host| modlb.json(&format!("explain 198.51.100.{host}:1 203.0.113.10:80")))
        .filter(|explained| explained["server"] == "10.0.0.12")
        .collect();
    assert_eq!(explained.len(), 1);
    assert_eq!(explained[0]["vlan"], 21);

    // A VLAN outlives the program, and stays while its server is down.
    modlb.ok("server down web 10.0.0.12");
    modlb.ok("server up web 10.0.0.12");
    modlb.ok("upgrade");
    assert_eq!(modlb.json("servers")[1]["vlan"], 21);
}

#[test]
fn an_invalid_vlan_changes_nothing() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11]));
    let before = gateway.modlb.json("status");
    let file = gateway.modlb.file("bad.toml", &(web(&[11]) + "vlan = 4095\n"));
    let error = gateway.modlb.fails(&format!("apply {}", file.display()));
    assert!(error.contains("server 10.0.0.11: vlan 4095 is not from 1 to 4094, nor 0 for no tag"), "{error}");
    assert_eq!(gateway.modlb.json("status"), before);
}

/// modlb looks for a server in a VLAN where the kernel's route leads, whether it is attached there or not.
#[test]
fn macs_of_servers_in_a_vlan_are_found() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11]));
    gateway.namespace.ip("neigh add 10.0.1.77 lladdr 02:00:00:00:00:77 dev eth1 nud permanent");
    let error = modlb.fails("server add web 10.0.1.77");
    assert!(error.contains("it is reached by eth1, to which modlb is not attached"), "{error}");
    modlb.ok("server add web 10.0.1.77 --vlan 20");
    assert_eq!(modlb.json("servers")[1]["mac"], "02:00:00:00:00:77");

    let error = modlb.fails("server add web 10.0.1.78 --vlan 20");
    assert!(
        error.contains("server 10.0.1.78: no answer on eth1 within 1s") && error.contains("Give its mac"),
        "{error}"
    );
    let error = modlb.fails("server add web 192.0.2.1 --vlan 20");
    assert!(error.contains("there is no route to 192.0.2.1") && error.contains("give its mac"), "{error}");

    // With several interfaces modlb must know which of them leads to the VLAN.
    modlb.ok("attach eth1");
    gateway.namespace.ip("addr add 10.0.9.1/24 dev peer1");
    let error = modlb.fails("server add web 10.0.9.5 --vlan 20");
    assert!(
        error.contains("it is reached by peer1, which is not a VLAN of an interface that modlb is attached to"),
        "{error}"
    );
    modlb.ok("server add web 10.0.9.5 --vlan 20 --mac 02:00:00:00:00:95");
}
