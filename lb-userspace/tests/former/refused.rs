//! What commands say to an instance of the former ABI.

use std::{path::Path, process::Command};

use crate::{
    Old, assert_well, need_root,
    support::{namespace::Namespace, two_links::TwoLinks, wait::wait},
};

#[test]
fn every_other_command_says_how_to_upgrade() {
    need_root!();
    let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |_| {});
    let modlb = &old.links.modlb;
    let file = modlb.file("two.toml", &TwoLinks::configuration());
    let commands = [
        "status",
        "stats",
        "export",
        "attach eth0",
        "detach eth0",
        "server down four 10.0.0.11",
        "standby",
        "trace --seconds 1",
        &format!("apply {}", file.display()),
    ];
    for arguments in commands {
        let error = modlb.fails(arguments);
        let way_out = format!("`modlb --instance {} upgrade`", modlb.instance());
        assert!(error.contains("ABI 6, this is") && error.contains(&way_out), "{arguments}: {error}");
        assert!(!error.contains("detach"), "{arguments}: {error}");
    }
    for interface in [0, 1] {
        assert_eq!((old.links.probe(interface).right, old.links.probe(interface).lost), (24, 0));
    }
    modlb.ok("upgrade");
    assert_well(modlb);
}

/// The process that waits for a confirmation knows only its own version.
#[test]
fn a_change_that_waits_to_be_confirmed() {
    need_root!();
    let changed = TwoLinks::configuration().replace("port = 80", "port = 81");
    let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |links| {
        let file = links.modlb.file("changed.toml", &changed);
        links.modlb.ok(&format!("apply --confirm 600 {}", file.display()));
    });
    let error = old.links.modlb.fails("upgrade");
    assert!(error.contains("confirm"), "{error}");
    assert!(old.links.modlb.fails("status").contains("ABI 6"));
    // The process that waits ends with the instance.
    old.links.modlb.ok("detach");
    let record = Path::new("/run/modlb").join(format!("{}.pending", old.links.modlb.instance()));
    wait(|| !record.exists(), || format!("{} is left", record.display()));
}

/// Interfaces that are gone are left out, and so is what was on them.
#[test]
fn an_interface_that_is_gone() {
    need_root!();
    let old = Old::new("eth0 eth1", &TwoLinks::configuration(), |_| {});
    old.links.namespace.ip("link delete eth1");
    old.links.modlb.ok("upgrade");
    let status = old.links.modlb.json("status");
    let names: Vec<_> = status["interfaces"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    assert_eq!(names, ["eth0"]);
}

#[test]
fn an_instance_of_another_network_namespace() {
    need_root!();
    let old = Old::new("eth0", &TwoLinks::configuration().replace("10.0.1.", "10.0.0."), |_| {});
    let elsewhere = Namespace::new("elsewhere");
    let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
    command.args(["--netns", elsewhere.name(), "--instance", old.links.modlb.instance(), "upgrade"]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("another network namespace"), "{error}");
    assert!(old.links.modlb.fails("status").contains("ABI 6"));
}
