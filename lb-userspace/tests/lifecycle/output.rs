//! What commands print: JSON alone if that is asked for, and no more than a screenful unasked.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    need_root,
    support::{modlb::Modlb, namespace::Namespace},
};

/// A host on which each role can be attached. Its instance is dropped first, which detaches it.
fn host() -> (Namespace, Modlb) {
    let host = Namespace::new("output");
    host.ip("link add eth0 address 02:00:00:00:00:01 type veth peer name peer0");
    for interface in ["eth0", "peer0"] {
        host.ip(&format!("link set {interface} up"));
    }
    host.ip("addr add 10.0.0.11/24 dev eth0");
    let modlb = Modlb::new(&host);
    (host, modlb)
}

fn configuration(role: &str) -> String {
    let group = if role == "member" { "group_mac = \"01:00:5e:7f:00:09\"\nanswer_arp = true\n" } else { "" };
    format!(
        "interfaces = [\"eth0\"]\nrole = \"{role}\"\n{group}[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n\
         protocol = \"tcp\"\nport = 80\n[[service.server]]\naddress = \"10.0.0.11\"\nmac = \"02:00:00:00:00:01\"\n\
         [[service.server]]\naddress = \"10.0.0.12\"\nmac = \"02:00:00:00:00:12\"\n"
    )
}

#[test]
fn json_is_all_that_is_on_standard_output_in_every_role() {
    need_root!();
    for role in ["balancer", "member", "steer"] {
        let (_host, modlb) = host();
        modlb.attach("", &configuration(role));
        let file = modlb.file("modlb.toml", &configuration(role)).display().to_string();
        let other = configuration(role).replace("7f:00:09", "7f:00:0a").replace("10.0.0.12", "10.0.0.13");
        let other = modlb.file("other.toml", &other).display().to_string();
        let bad = modlb.file("bad.toml", "x = 1\ny").display().to_string();
        let capture = modlb.file("empty.pcap", "").display().to_string();
        std::fs::write(&capture, EMPTY_CAPTURE).unwrap();
        for (command, fails) in [
            ("status", false),
            ("services", false),
            ("servers", false),
            ("stats", false),
            ("export", false),
            (&*format!("check {file}"), false),
            (&format!("check {bad}"), true),
            (&format!("apply {file}"), false),
            (&format!("apply {other} --dry-run"), false),
            (&format!("apply {other}"), false),
            (&format!("apply {file} --confirm 60"), false),
            ("explain 192.0.2.1:1 203.0.113.10:80", false),
            (&format!("explain 192.0.2.1:1 203.0.113.10:80 --config {file}"), false),
            ("trace --seconds 0.1", false),
            ("logs --seconds 0.1", false),
            // Whatever it finds.
            ("doctor", true),
            ("doctor --server --service 203.0.113.10", true),
            (&format!("replay {capture} --config {file} --own-mac 02:00:00:00:00:01"), role != "balancer"),
        ] {
            let output = modlb.output(&format!("{command} --json"));
            let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
            assert!(fails || output.status.success(), "{role}: {command}: {said}");
            let values: Vec<_> = serde_json::Deserializer::from_str(&out).into_iter::<Value>().collect();
            assert!(values.iter().all(Result::is_ok), "{role}: {command}:\n{out}");
            let streams = command.starts_with("trace") || command.starts_with("logs") || command.starts_with("replay");
            assert!(streams || values.len() == 1, "{role}: {command}:\n{out}");
            if command.contains("--confirm") {
                modlb.ok("confirm");
            }
        }
        for command in ["server down web 10.0.0.11", "server up web 10.0.0.11", "server remove web 10.0.0.12"] {
            assert!(modlb.json(command).is_array(), "{role}: {command}");
        }
        let add = "server add web 10.0.0.14 --mac 02:00:00:00:00:14";
        assert_eq!(modlb.json(add)[0]["change"], "server_added", "{role}");
    }
}

/// A capture without packets: its header alone.
const EMPTY_CAPTURE: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];

#[test]
fn a_thousand_services_are_no_thousand_lines() {
    need_root!();
    let (_host, modlb) = host();
    let services = |from: u32| {
        let mut text = String::new();
        for number in from..from + 1_000 {
            let (a, b) = (number / 250, number % 250);
            let _ = write!(text, "[[service]]\nname = \"s{number}\"\naddress = \"203.{a}.{b}.1\"\n");
        }
        text
    };
    let said = modlb.attach("eth0", &services(0));
    assert!((20..=40).contains(&said.lines().count()), "{said}");
    assert!(said.contains("+ service s0: 203.0.0.1, 0 servers\n"), "{said}");
    assert!(said.contains("… and 980 more changes: 980 × + service; `-v` shows all\n"), "{said}");
    assert!(said.contains("1000 services, 0 servers\n"), "{said}");
    let file = modlb.file("modlb.toml", &services(900)).display().to_string();
    let all = modlb.ok(&format!("apply {file} --dry-run -v"));
    assert_eq!(all.lines().count(), 1_800);
    let said = modlb.apply(&services(900));
    assert!(said.lines().count() <= 40 && said.contains("880 × - service, 900 × + service"), "{said}");
    assert_eq!(modlb.json("services").as_array().unwrap().len(), 1_000);
}

#[test]
fn nothing_that_runs_may_be_success() {
    need_root!();
    let (_host, modlb) = host();
    for command in ["detach", "detach eth0", "activate", "standby", "upgrade"] {
        let error = modlb.fails(command);
        assert!(error.starts_with("no instance ") && error.contains("--if-running"), "{command}: {error}");
        let said = modlb.ok(&format!("{command} --if-running"));
        assert!(said.starts_with("no instance ") && said.ends_with("there is nothing to do\n"), "{command}: {said}");
    }
    modlb.attach("", &configuration("balancer"));
    assert_eq!(modlb.ok("standby --if-running"), "standby\n");
    // Another error stays one.
    assert!(modlb.fails("detach eth7 --if-running").contains("eth7"));
    assert_eq!(modlb.ok("detach --if-running"), "detached; nothing is left\n");
}

/// The kernel takes alternative names where it takes names, but its messages have only the name.
#[test]
fn alternative_names_are_refused_with_the_name() {
    need_root!();
    let (host, modlb) = host();
    let long = "enp0s31f6-a-name-of-more-than-15-bytes";
    host.ip("link property add dev eth0 altname wan0");
    host.ip(&format!("link property add dev eth0 altname {long}"));
    let refused = |command: &str, name: &str| {
        let error = modlb.fails(command);
        assert_eq!(error, format!("{name:?} is an alternative name of interface eth0; say eth0"), "{command}");
    };
    for name in ["wan0", long] {
        refused(&format!("attach {name}"), name);
        refused(&format!("doctor {name}"), name);
    }
    let wan = configuration("balancer").replace("eth0", "wan0");
    let file = modlb.file("modlb.toml", &wan).display().to_string();
    refused(&format!("attach --config {file}"), "wan0");
    let output = modlb.output(&format!("agent --config {file} --listen none"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("\"wan0\" is an alternative name of interface eth0; say eth0"), "{said}");
    assert!(!modlb.pins().exists());
    modlb.attach("", &configuration("balancer"));
    for command in ["detach wan0", "trace --interface wan0", "logs --interface wan0"] {
        refused(command, "wan0");
    }
    assert_eq!(modlb.ok("status --field interfaces"), "eth0\n");
}

#[test]
fn fields_are_for_scripts() {
    need_root!();
    let (host, modlb) = host();
    modlb.attach("", &configuration("member"));
    let status = modlb.json("status");
    assert_eq!(modlb.ok("status --field digest").trim_end(), status["digest"]);
    assert_eq!(modlb.ok("status --field digest --service web").trim_end(), status["services"][0]["digest"]);
    assert!(modlb.fails("status --field digest --service none").contains("\"none\""));
    assert_eq!(modlb.ok("status --field state"), "active\n");
    assert_eq!(modlb.ok("status --field role"), "member\n");
    assert_eq!(modlb.ok("status --field self --expect-self 10.0.0.11 --expect-attached"), "10.0.0.11\n");
    assert!(modlb.fails("status --expect-self 10.0.0.12").contains("10.0.0.12"));
    host.ip("link del eth0");
    assert!(modlb.fails("status --expect-attached").contains("eth0 (gone)"));
}
