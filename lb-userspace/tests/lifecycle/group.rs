//! A member restores its interface's state, however its commands end.

use std::fs;

use crate::{
    need_root,
    support::{modlb::Modlb, namespace::Namespace},
};

const GROUP: &str = "01:00:5e:7f:00:09";

const OTHER: &str = "01:00:5e:7f:00:0a";

fn host() -> Namespace {
    let host = Namespace::new("member");
    host.ip("link add eth0 type veth peer name peer0");
    host.ip("addr add 10.0.0.11/24 dev eth0");
    host
}

fn configuration(head: &str) -> String {
    let service = |name: &str, address: &str, server: &str| {
        format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\n[[service.server]]\naddress = \"{server}\"\n")
    };
    let services = service("four", "203.0.113.10", "10.0.0.11") + &service("six", "2001:db8::1:203", "fd00::b");
    format!("role = \"member\"\n{head}\n{services}")
}

/// The multicast MACs that were added by command.
fn macs(host: &Namespace) -> Vec<String> {
    let text = host.run("ip", "maddr show dev eth0");
    let entered = text.lines().filter(|line| line.contains(" static"));
    entered.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

fn is_promiscuous(host: &Namespace) -> bool {
    host.run("ip", "link show eth0").contains("PROMISC")
}

#[test]
fn macs_follow_the_configuration() {
    need_root!();
    let host = host();
    let modlb = Modlb::new(&host);
    let said = modlb.attach("eth0", &configuration(&format!("group_mac = \"{GROUP}\"")));
    assert!(said.contains(&format!("eth0 receives {GROUP} now\n")), "{said}");
    assert_eq!(macs(&host), [GROUP]);
    let exported = modlb.ok("export");
    assert!(exported.contains("role = \"member\"\ngroup_mac = \"01:00:5e:7f:00:09\"\n"), "{exported}");

    let said = modlb.apply(&configuration(&format!("group_mac = \"{OTHER}\"\nanswer_arp = true")));
    assert!(said.contains(&format!("~ group_mac {GROUP} → {OTHER}\n")), "{said}");
    assert!(said.contains(&format!("eth0 no longer receives {GROUP}\n")), "{said}");
    let mut found = macs(&host);
    found.sort();
    assert_eq!(found, [OTHER, "33:33:ff:01:02:03"]);

    assert!(modlb.apply(&configuration("promiscuous = true")).contains("takes every frame now"));
    assert!(macs(&host).is_empty() && is_promiscuous(&host));
    modlb.ok("detach");
    assert!(!is_promiscuous(&host));
}

#[test]
fn promiscuous_mode_that_was_on_before_stays_on() {
    need_root!();
    let host = host();
    host.ip("link set eth0 promisc on");
    let modlb = Modlb::new(&host);
    let said = modlb.attach("eth0", &configuration("promiscuous = true"));
    assert!(said.contains("promiscuous already"), "{said}");
    modlb.ok("detach");
    assert!(is_promiscuous(&host));
}

#[test]
fn a_member_that_matches_no_server() {
    need_root!();
    let host = host();
    let modlb = Modlb::new(&host);
    for (head, reason) in [("self = \"10.0.0.99\"", "self: 10.0.0.99 is not a server"), ("", "set self")] {
        let text = configuration(head).replace("10.0.0.11", "10.0.0.12");
        let file = modlb.file("modlb.toml", &text);
        let output = modlb.output(&format!("attach eth0 --config {}", file.display()));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(reason), "{error}");
        assert!(!modlb.pins().exists() && macs(&host).is_empty());
    }
}

/// Killed after any step, `attach` leaves nothing that the next `detach` does not remove.
#[test]
fn detach_cleans_up_after_a_killed_attach() {
    need_root!();
    let host = host();
    let file = |modlb: &Modlb| {
        modlb.file("modlb.toml", &configuration(&format!("group_mac = \"{GROUP}\"\nanswer_arp = true")))
    };
    let mut joined = 0;
    for steps in 1.. {
        let modlb = Modlb::new(&host);
        let mut attach = modlb.command(&format!("attach eth0 --config {}", file(&modlb).display()));
        let ended = attach.env("MODLB_TEST_KILL_AFTER_STEP", steps.to_string()).output().unwrap().status.success();
        joined += usize::from(!ended) * macs(&host).len();
        modlb.ok("detach");
        assert_eq!(macs(&host), [""; 0], "step {steps}");
        assert!(!modlb.pins().exists(), "step {steps}: {:?}", fs::read_dir(modlb.pins()).map(Iterator::count));
        if ended {
            break;
        }
    }
    assert!(joined > 0, "every kill came too early to show anything");
}

#[test]
fn a_clsact_filter_is_removed() {
    need_root!();
    let host = host();
    let modlb = Modlb::new(&host);
    let filters = || host.run("tc", "filter show dev eth0 egress").matches("handle 0x").count();
    let text = "role = \"steer\"\n[[service]]\nname = \"own\"\naddress = \"10.0.0.0/24\"\n";
    modlb.attach("eth0 --clsact", text);
    assert_eq!(filters(), 1);
    let program = || modlb.json("status")["interfaces"][0]["program_id"].as_u64().unwrap();
    let before = program();
    modlb.ok("upgrade");
    modlb.ok("attach eth0");
    assert!(program() > before && filters() == 1);
    // Another instance's filter is not touched.
    let other = Modlb::new(&host);
    other.attach("eth0 --clsact", text);
    assert_eq!(filters(), 2);
    modlb.ok("detach eth0");
    assert_eq!(filters(), 1);
    other.ok("detach");
    assert_eq!(filters(), 0);
}
