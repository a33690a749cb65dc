//! Queues that keep a driver from running programs natively.

use crate::{Gateway, need_root, web};

/// A veth runs programs only if it receives on as many queues as its peer sends on.
#[test]
fn native_mode_refused_for_want_of_queues_is_explained() {
    need_root!();
    let gateway = Gateway::new();
    let namespace = &gateway.namespace;
    namespace.ip("link add eth2 numrxqueues 3 numtxqueues 1 type veth peer name peer2 numrxqueues 1 numtxqueues 3");
    namespace.ip("link set eth2 up");
    namespace.ip("link set peer2 up");
    namespace.run("ethtool", "-L eth2 rx 1 tx 1");
    namespace.run("ethtool", "-L peer2 rx 1 tx 2");
    let file = gateway.modlb.file("web.toml", &web(&[11]));
    let attach = format!("--config {} --mode", file.display());
    let error = gateway.modlb.fails(&format!("attach eth2 {attach} native"));
    assert!(error.contains("its peer sends") && error.contains("`ethtool -L eth2 rx 3`"), "{error}");
    assert!(error.contains("`--mode generic`"), "{error}");
    let output = gateway.modlb.output(&format!("attach eth2 {attach} auto"));
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warning.contains("`ethtool -L eth2 rx 3`"), "{warning}");
    assert!(warning.contains("using generic mode"), "{warning}");
    gateway.modlb.ok("detach");
    namespace.run("ethtool", "-L eth2 rx 3");
    let output = gateway.modlb.output(&format!("attach eth2 {attach} native"));
    // Nothing flaps on a veth, so nothing is said of it.
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !warning.contains("queues"), "{warning}");
    assert_eq!(gateway.modlb.json("status")["interfaces"][0]["mode"], "native");
}
