//! What other programs and the kernel change on interfaces: `status` names it, `apply` mends it, and no command fails
//! because of another interface.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use crate::{
    Gateway, need_root,
    support::{
        modlb::Modlb,
        namespace::Namespace,
        two_links::{Fate, TwoLinks},
        wait::wait,
    },
    web,
};

const FINE: Fate = Fate { right: 24, wrong: 0, lost: 0 };

/// What `status` finds wrong.
fn problems(links: &TwoLinks) -> Vec<String> {
    let status = links.modlb.json("status");
    let problems = status["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

fn server_states(links: &TwoLinks) -> Vec<(String, String)> {
    let servers = links.modlb.json("servers");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    servers.as_array().unwrap().iter().map(|server| (text(&server["state"]), text(&server["reason"]))).collect()
}

/// Something is changed, `status` says so, `apply` mends it.
fn is_mended(links: &TwoLinks, found: &str) {
    let said = problems(links);
    assert!(said.iter().any(|problem| problem.contains(found)), "{found:?} is not in {said:?}");
    let text = links.modlb.ok("status");
    assert!(text.contains("wrong: ") && text.contains(found), "{text}");
    links.modlb.apply(&TwoLinks::configuration());
    assert_eq!(problems(links), [""; 0], "after apply");
    assert_eq!([links.probe(0), links.probe(1)], [FINE; 2]);
}

fn attached() -> TwoLinks {
    let links = TwoLinks::new();
    links.attach("eth0 eth1");
    assert_eq!(problems(&links), [""; 0]);
    assert_eq!([links.probe(0), links.probe(1)], [FINE; 2]);
    links
}

#[test]
fn a_new_mac() {
    need_root!();
    let links = attached();
    links.namespace.ip("link set eth0 address 02:00:00:00:00:77");
    links.namespace.ip("link set eth1 address 02:00:00:00:00:78");
    let said = problems(&links);
    for (name, was, is) in [("eth0", "00:01", "00:77"), ("eth1", "01:01", "00:78")] {
        let expected = format!("{name}: its MAC is 02:00:00:00:{is}, the program takes 02:00:00:00:{was} for it");
        assert!(said.iter().any(|problem| problem.starts_with(&expected)), "{expected}: {said:?}");
    }
    let lines = links.modlb.apply(&TwoLinks::configuration());
    assert!(lines.contains("eth0 has a new MAC; its program was replaced"), "{lines}");
    links.namespace.ip("link set eth0 address 02:00:00:00:00:01");
    links.namespace.ip("link set eth1 address 02:00:00:00:01:01");
    is_mended(&links, "its MAC is");
}

/// As `bpftool link detach` does.
fn detach_link(modlb: &Modlb, name: &str) {
    let status = modlb.json("status");
    let mut interfaces = status["interfaces"].as_array().unwrap().iter();
    let index = interfaces.find(|interface| interface["name"] == name).unwrap()["index"].as_u64().unwrap();
    let pin = modlb.pins().join(format!("link-{index}"));
    let path = std::ffi::CString::new(pin.display().to_string()).unwrap();
    const BPF_OBJ_GET: i32 = 7;
    const BPF_LINK_DETACH: i32 = 34;
    let get = [path.as_ptr() as u64, 0];
    // SAFETY: the attributes of the call, which are numbers, live until it returns.
    let link = unsafe { libc::syscall(libc::SYS_bpf, BPF_OBJ_GET, &raw const get, size_of_val(&get)) };
    assert!(link >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel has just made it.
    let link = unsafe { OwnedFd::from_raw_fd(link as i32) };
    let detach = [link.as_raw_fd() as u32];
    // SAFETY: as before.
    let done = unsafe { libc::syscall(libc::SYS_bpf, BPF_LINK_DETACH, &raw const detach, size_of_val(&detach)) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_link_that_was_detached_by_other_means() {
    need_root!();
    let links = attached();
    for name in ["eth0", "eth1"] {
        detach_link(&links.modlb, name);
        is_mended(&links, &format!("{name}: its program was detached"));
    }
}

/// An interface that cannot be mended keeps nothing else from working.
#[test]
fn another_program_in_the_place_of_a_detached_one() {
    need_root!();
    let links = attached();
    detach_link(&links.modlb, "eth1");
    links.modlb.ok("dev pass eth1");
    let output = links.modlb.output("server down four 10.0.1.12");
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && warnings.contains("eth1 had lost its program"), "{warnings}");
    assert!(warnings.contains("another XDP program"), "{warnings}");
    links.modlb.ok("server up four 10.0.1.12");
    assert_eq!(links.probe(0).wrong, 0);
    links.modlb.ok("dev pass eth1 --remove");
    is_mended(&links, "eth1: its program was detached");
}

#[test]
fn an_interface_in_another_namespace() {
    need_root!();
    let links = attached();
    let elsewhere = Namespace::new("elsewhere");
    links.namespace.ip(&format!("link set eth1 netns {}", elsewhere.name()));
    let said = problems(&links);
    assert!(said.iter().any(|problem| problem == "eth1: the interface is in another network namespace"), "{said:?}");
    // Every command works, and none of them is about the other interface.
    links.modlb.ok("stats");
    links.modlb.ok("export");
    links.modlb.ok("upgrade");
    let lines = links.modlb.ok("server down four 10.0.1.12");
    assert!(lines.contains("eth1 is in another network namespace; modlb no longer uses it"), "{lines}");
    links.modlb.ok("server up four 10.0.1.12");
    assert!(!elsewhere.run("ip", "link show eth1").contains("xdp"), "the program went with the interface");
    // All packets go to the one server that can be reached.
    assert_eq!(links.probe(0), FINE);
    let states = server_states(&links);
    assert_eq!(states[1].0, "unresolved", "{states:?}");
    assert_eq!(states[3].0, "unresolved", "{states:?}");
    elsewhere.ip(&format!("link set eth1 netns {}", links.namespace.name()));
    links.namespace.ip("link set eth1 up");
    TwoLinks::address(&links.namespace, 1);
    links.modlb.ok("attach eth1 --mode generic");
    assert_eq!(problems(&links), [""; 0]);
    assert_eq!([links.probe(0), links.probe(1)], [FINE; 2]);
}

/// An interface of the same index is another one.
#[test]
fn another_interface_with_the_index_of_one_that_moved() {
    need_root!();
    let links = attached();
    let elsewhere = Namespace::new("elsewhere");
    let status = links.modlb.json("status");
    let index = status["interfaces"][1]["index"].as_u64().unwrap();
    links.namespace.ip(&format!("link set eth1 netns {}", elsewhere.name()));
    links.namespace.ip(&format!("link add other0 index {index} type veth peer name other1"));
    let said = problems(&links);
    assert!(said.iter().any(|problem| problem == "eth1: the interface is in another network namespace"), "{said:?}");
    links.modlb.apply(&TwoLinks::configuration());
    let status = links.modlb.json("status");
    assert_eq!(status["interfaces"].as_array().unwrap().len(), 1);
    assert!(!links.namespace.run("ip", "link show other0").contains("xdp"));
}

/// The servers behind an interface that is gone do not get their flows by another link.
#[test]
fn servers_behind_an_interface_that_is_gone() {
    need_root!();
    let links = attached();
    links.namespace.ip("link del eth0");
    let said = problems(&links);
    assert!(said.iter().any(|problem| problem == "eth0: the interface is gone"), "{said:?}");
    links.modlb.apply(&TwoLinks::configuration());
    let states = server_states(&links);
    let unresolved: Vec<_> = states.iter().map(|(state, _)| state == "unresolved").collect();
    assert_eq!(unresolved, [true, false, true, false], "{states:?}");
    assert_eq!(problems(&links), [""; 0]);
}

#[test]
fn a_route_that_moves_to_another_interface() {
    need_root!();
    let links = attached();
    links.namespace.ip("route add 10.0.0.11/32 dev eth1");
    links.namespace.ip("route add fd00:0::11/128 dev eth1");
    let said = problems(&links);
    assert!(
        said.iter().any(|problem| problem == "server four 10.0.0.11: it is behind another interface now"),
        "{said:?}"
    );
    // Its MAC was found on another link, so it is not known here.
    assert!(said.iter().any(|problem| problem.starts_with("server six fd00::11: unresolved, not up")), "{said:?}");
    links.modlb.apply(&TwoLinks::configuration());
    let states = server_states(&links);
    assert_eq!((states[0].0.as_str(), states[2].0.as_str()), ("up", "unresolved"), "{states:?}");
    links.namespace.ip("route del 10.0.0.11/32 dev eth1");
    links.namespace.ip("route del fd00:0::11/128 dev eth1");
    is_mended(&links, "server four 10.0.0.11: it is behind another interface now");
}

#[test]
fn an_egress_interface_that_is_down_or_too_small() {
    need_root!();
    let links = attached();
    links.namespace.ip("link set peer1 down");
    let link = || links.namespace.run("ip", "link show eth1");
    wait(|| link().contains("NO-CARRIER"), link);
    let said = problems(&links);
    assert!(said.iter().any(|problem| problem.contains("10.0.1.12: unresolved, not up: interface") && problem.ends_with("is down")), "{said:?}");
    links.modlb.apply(&TwoLinks::configuration());
    assert_eq!(links.probe(0), FINE);
    assert_eq!(server_states(&links)[1], ("unresolved".to_owned(), "eth1 is down".to_owned()));
    links.namespace.ip("link set peer1 up");
    wait(|| !link().contains("NO-CARRIER"), link);
    is_mended(&links, "10.0.1.12: up, not unresolved");

    links.namespace.ip("link set eth1 mtu 1400");
    is_named_and_followed(&links, "eth1 has a smaller MTU than other interfaces of modlb");
    links.namespace.ip("link set eth1 mtu 1500");
    is_mended(&links, "10.0.1.12: up, not unresolved");
}

fn is_named_and_followed(links: &TwoLinks, reason: &str) {
    links.modlb.apply(&TwoLinks::configuration());
    assert_eq!(server_states(links)[1], ("unresolved".to_owned(), reason.to_owned()));
    assert_eq!(links.probe(0), FINE);
}

/// A bridge cannot take frames that a driver redirects to it.
#[test]
fn a_native_interface_and_one_that_takes_no_frames() {
    need_root!();
    let links = TwoLinks::new();
    let namespace = &links.namespace;
    namespace.ip("link add br0 address 02:00:00:00:00:b0 type bridge");
    namespace.ip("link set eth1 master br0");
    namespace.ip("link set br0 up");
    namespace.ip("addr del 10.0.1.1/24 dev eth1");
    namespace.ip("addr add 10.0.1.1/24 dev br0");
    let file = links.modlb.file("two.toml", &TwoLinks::configuration()).display().to_string();
    let output = links.modlb.output(&format!("attach eth0 br0 --mode native --config {file}"));
    assert!(!output.status.success() && String::from_utf8(output.stderr).unwrap().contains("error: br0: "));
    assert!(!links.modlb.pins().exists());
    let output = links.modlb.output(&format!("attach eth0 br0 --config {file}"));
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{warnings}");
    assert!(warnings.contains("br0 cannot take frames that other interfaces redirect to it"), "{warnings}");
    let status = links.modlb.json("status");
    let modes: Vec<_> = status["interfaces"].as_array().unwrap().iter().map(|i| i["mode"].clone()).collect();
    assert_eq!(modes, ["generic", "generic"]);
    assert_eq!((links.probe(0).wrong, links.probe(0).lost), (0, 0));
    links.modlb.ok("detach");

    // A running instance keeps its modes, so the bridge is refused, and everything is as it was.
    links.modlb.attach("eth0 --mode native", &TwoLinks::configuration());
    let before = links.modlb.json("servers");
    let output = links.modlb.output("attach br0");
    let refused = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(refused.contains("br0 cannot take frames") && refused.contains("--mode generic"), "{refused}");
    assert_eq!(links.modlb.json("servers"), before);
    assert_eq!(links.modlb.json("status")["interfaces"].as_array().unwrap().len(), 1);
}

/// An address of this host that it gets after the service was made.
#[test]
fn an_address_within_a_prefix_service() {
    need_root!();
    let gateway = Gateway::new();
    let text = web(&[11]).replace("\"203.0.113.10\"", "\"10.0.0.0/16\"");
    gateway.modlb.attach("eth0", &text);
    gateway.namespace.ip("addr add 10.0.0.50/24 dev eth0");
    let said = gateway.modlb.json("status")["problems"].to_string();
    assert!(said.contains("this host's addresses have changed"), "{said}");
    let outcome = || gateway.modlb.json("explain 198.51.100.1:1 10.0.0.50:80")["outcome"].clone();
    assert_eq!(outcome(), "forwarded");
    let lines = gateway.modlb.apply(&text);
    assert!(lines.contains("this host's addresses have changed"), "{lines}");
    assert_eq!(outcome(), "no_service");
    assert_eq!(gateway.modlb.json("status")["problems"], serde_json::json!([]));
    gateway.namespace.ip("addr del 10.0.0.50/24 dev eth0");
    gateway.modlb.apply(&text);
    assert_eq!(outcome(), "forwarded");
}

/// The kernel itself no longer trusts an entry that is stale, and a host's own MAC is no server's.
#[test]
fn entries_that_cannot_be_believed() {
    need_root!();
    let gateway = Gateway::new();
    let text = web(&[11, 12, 13]);
    let text: String = text.lines().filter(|line| !line.starts_with("mac =")).map(|line| format!("{line}\n")).collect();
    gateway.namespace.ip("neigh replace 10.0.0.11 lladdr 02:00:00:00:02:0b dev eth0 nud permanent");
    gateway.namespace.ip("neigh replace 10.0.0.12 lladdr 02:00:00:00:02:0c dev eth0 nud stale");
    gateway.namespace.ip("neigh replace 10.0.0.13 lladdr 02:00:00:00:01:01 dev eth0 nud permanent");
    gateway.modlb.attach("eth0", &text);
    let servers = gateway.modlb.json("servers");
    let states: Vec<_> = servers.as_array().unwrap().iter().map(|server| server["state"].clone()).collect();
    assert_eq!(states, ["up", "unresolved", "unresolved"], "{servers}");
    assert_eq!(servers[2]["reason"], "on eth0 this host's own MAC answers for it");
}

/// A multicast MAC that a member's interface no longer receives.
#[test]
fn a_multicast_mac() {
    need_root!();
    let gateway = Gateway::new();
    let text =
        format!("role = \"member\"\nself = \"10.0.0.11\"\ngroup_mac = \"01:00:5e:00:00:09\"\n{}", web(&[11, 12]));
    gateway.modlb.attach("eth0 --mode generic", &text);
    assert_eq!(gateway.modlb.json("status")["problems"], serde_json::json!([]));
    gateway.namespace.ip("maddr del 01:00:5e:00:00:09 dev eth0");
    let said = gateway.modlb.json("status")["problems"].to_string();
    assert!(said.contains("eth0: it no longer receives the multicast MAC 01:00:5e:00:00:09"), "{said}");
    gateway.modlb.apply(&text);
    assert_eq!(gateway.modlb.json("status")["problems"], serde_json::json!([]));
    assert!(gateway.namespace.run("ip", "maddr show dev eth0").contains("01:00:5e:00:00:09"));
}

/// The filter of role `steer`, and its TCX link.
#[test]
fn an_egress_program_that_was_removed() {
    need_root!();
    for option in ["", " --clsact"] {
        let gateway = Gateway::new();
        let text = format!("role = \"steer\"\n{}", web(&[11, 12]));
        gateway.modlb.attach(&format!("eth0{option}"), &text);
        assert_eq!(gateway.modlb.json("status")["problems"], serde_json::json!([]), "{option}");
        if option.is_empty() {
            detach_link(&gateway.modlb, "eth0");
        } else {
            gateway.namespace.run("tc", "filter del dev eth0 egress");
        }
        let said = gateway.modlb.json("status")["problems"].to_string();
        assert!(said.contains("eth0: its program was detached"), "{option}: {said}");
        gateway.modlb.apply(&text);
        assert_eq!(gateway.modlb.json("status")["problems"], serde_json::json!([]), "{option}");
    }
}
