//! Which of the two programs an interface gets: the one for frames in one buffer, or in several.

use crate::{Gateway, need_root, web};

fn multi_buffer(gateway: &Gateway) -> Vec<(String, String, bool)> {
    let status = gateway.modlb.json("status");
    let interfaces = status["interfaces"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    interfaces.map(|i| (text(&i["name"]), text(&i["mode"]), i["multi_buffer"].as_bool().unwrap())).collect()
}

fn found(name: &str, mode: &str, several: bool) -> (String, String, bool) {
    (name.to_owned(), mode.to_owned(), several)
}

/// Both programs share the instance's maps, and each is replaced by its own kind.
#[test]
fn each_interface_has_the_program_for_its_mtu() {
    need_root!();
    let gateway = Gateway::new();
    gateway.namespace.ip("link set eth1 mtu 9000");
    gateway.namespace.ip("link set peer1 mtu 9000");
    let said = gateway.modlb.attach("eth0 eth1 --mode native", &web(&[11]));
    assert!(
        said.starts_with("attached to eth0 (native mode)\nattached to eth1 (native mode, multi-buffer)\n"),
        "{said}"
    );
    let expected = [found("eth0", "native", false), found("eth1", "native", true)];
    assert_eq!(multi_buffer(&gateway), expected);
    assert!(gateway.modlb.ok("status").contains("native, multi-buffer  bpf_link"));
    for command in ["upgrade", "attach eth0 eth1"] {
        gateway.modlb.ok(command);
        assert_eq!(multi_buffer(&gateway), expected, "{command}");
    }
}

/// The driver decides what fits: a veth by its peer's MTU.
#[test]
fn a_peers_mtu_counts() {
    need_root!();
    let gateway = Gateway::new();
    gateway.namespace.ip("link set peer0 mtu 9000");
    gateway.modlb.attach("eth0 --mode native", &web(&[11]));
    assert_eq!(multi_buffer(&gateway), [found("eth0", "native", true)]);
    gateway.modlb.ok("detach");
    gateway.namespace.ip("link set peer0 mtu 3000");
    gateway.modlb.attach("eth0 --mode native", &web(&[11]));
    assert_eq!(multi_buffer(&gateway), [found("eth0", "native", false)]);
}

/// In generic mode the network stack passes frames of any length in one buffer; in native mode the driver uses several.
#[test]
fn both_modes_work_with_a_large_mtu() {
    need_root!();
    let gateway = Gateway::new();
    for interface in ["eth0", "peer0"] {
        gateway.namespace.ip(&format!("link set {interface} mtu 9000"));
    }
    gateway.modlb.attach("eth0 --mode generic", &web(&[11]));
    assert_eq!(multi_buffer(&gateway), [found("eth0", "generic", false)]);
    gateway.modlb.ok("detach");
    gateway.modlb.attach("eth0", &web(&[11]));
    assert_eq!(multi_buffer(&gateway), [found("eth0", "native", true)]);
    // The program that passes everything exists for both as well.
    gateway.modlb.ok("dev pass peer0");
    gateway.modlb.ok("dev pass peer0 --remove");
}
