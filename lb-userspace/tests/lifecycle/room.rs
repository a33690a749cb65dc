//! Room for slots: new instances are sized by their configuration, and what does not fit is said beforehand.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Gateway, need_root};

/// Services on servers from this on.
fn services(count: u32, servers: impl Fn(u32) -> std::ops::Range<u32>, down: Option<u32>) -> String {
    let mut text = String::new();
    for service in 0..count {
        let (high, low) = (service >> 8, service & 255);
        let _ = writeln!(text, "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{high}.{low}\"");
        for server in servers(service) {
            let (a, b) = (server >> 8, server & 255);
            let state = if down == Some(server) { "state = \"down\"\n" } else { "" };
            let _ = write!(
                text,
                "[[service.server]]\naddress = \"10.1.{a}.{b}\"\nmac = \"02:00:00:01:{a:02x}:{b:02x}\"\n{state}"
            );
        }
    }
    text
}

fn capacity(gateway: &Gateway) -> Value {
    gateway.modlb.json("status")["capacity"].clone()
}

/// What a command says on stderr; it must succeed.
fn warned(gateway: &Gateway, arguments: &str) -> String {
    let output = gateway.modlb.output(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn four_thousand_services_on_one_pool_fit_with_a_server_down() {
    need_root!();
    let gateway = Gateway::new();
    let pool = |down| services(4_000, |_| 1..51, down);
    let said = gateway.modlb.attach("eth0 --mode generic", &pool(None));
    assert!(said.contains("room for 8,000 services, 262,144 slots and "), "{said}");
    assert_eq!(capacity(&gateway)["slots"]["used"], 50);
    gateway.modlb.apply(&pool(Some(7)));
    let now = capacity(&gateway);
    assert_eq!((&now["slots"]["used"], &now["servers"]["used"]), (&4_100.into(), &200_000.into()));
    assert_eq!((&now["refined_slots"], &now["left_out"]), (&4_096.into(), &0.into()));
    gateway.modlb.ok("server down s77 10.1.0.8");
    assert_eq!(capacity(&gateway)["slots"]["used"], 8_200);
}

/// A hundred services with different servers but one in common: `attach` makes room for the failure of that one.
#[test]
fn a_new_instance_has_room_for_the_worst_failure() {
    need_root!();
    let gateway = Gateway::new();
    let text = |down| services(100, |service| 0..2 + service, down);
    let file = gateway.modlb.file("check.toml", &text(None));
    let check = gateway.modlb.json(&format!("check {}", file.display()));
    assert_eq!((&check["room"]["instance"], &check["room"]["worst_failure"]["services"]), (&Value::Null, &100.into()));
    let needed = check["room"]["worst_failure"]["slots"].as_u64().unwrap();
    assert!(needed > 400_000 && check["room"]["capacity"].as_u64().unwrap() > needed, "{check}");
    assert_eq!(check["warnings"], serde_json::json!([]));
    gateway.modlb.attach("eth0 --mode generic", &text(None));
    gateway.modlb.apply(&text(Some(0)));
    let now = capacity(&gateway);
    assert_eq!((&now["slots"]["used"], &now["refined_slots"]), (&needed.into(), &4_096.into()));
}

#[test]
fn a_failure_that_would_not_fit_is_named_beforehand() {
    need_root!();
    let gateway = Gateway::new();
    let text = |down| services(20, |service| 0..2 + service, down);
    let file = gateway.modlb.file("modlb.toml", &text(None)).display().to_string();
    let warning = "if server 10.1.0.0 goes down in its 20 services, 82034 slots are needed, and there is room for 4000";
    let said = warned(&gateway, &format!("attach eth0 --mode generic --max-slots 4000 --config {file}"));
    assert!(said.contains(warning) && said.contains("`--max-slots 82034`"), "{said}");
    assert!(warned(&gateway, &format!("apply {file}")).contains(warning));
    let check = gateway.modlb.json(&format!("check {file}"));
    assert_eq!(check["room"]["instance"], gateway.modlb.instance());
    assert!(check["warnings"][0].as_str().unwrap().starts_with(warning), "{check}");
    let doctor = gateway.modlb.output("doctor --json");
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let findings = doctor.as_array().or_else(|| doctor["findings"].as_array()).unwrap();
    let room = findings.iter().find(|finding| finding["check"] == "room").unwrap();
    assert!(room["level"] == "warning" && room["seen"].as_str().unwrap().starts_with(warning), "{room}");

    // It happens: the tables are coarser, the command says so, and everything but that server goes on.
    let said = gateway.modlb.apply(&text(Some(0)));
    assert!(said.contains("instead of 4096, for want of room"), "{said}");
    let now = capacity(&gateway);
    assert!(now["refined_slots"].as_u64().unwrap() < 4_096 && now["slots"]["used"].as_u64().unwrap() <= 4_000, "{now}");
    assert!(gateway.modlb.ok("status").contains("no room: tables with a server down"));
    let explained = gateway.modlb.json("explain 192.0.2.1:9 198.18.0.3:80");
    let status = gateway.modlb.json("status");
    assert_eq!(explained["slots"], status["services"][3]["slots"]);

    // With everything up again, tables are as usual.
    let said = gateway.modlb.apply(&text(None));
    assert!(said.contains("have their usual number of slots"), "{said}");
    assert_eq!(capacity(&gateway)["refined_slots"], 4_096);
}

/// Not even the coarsest tables fit: the command names a way out that keeps traffic, and changes nothing.
#[test]
fn a_change_that_does_not_fit_is_refused_with_a_way_out() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0 --mode generic --max-slots 12", &services(3, |_| 0..6, None));
    gateway.modlb.ok("server down s0 10.1.0.1");
    let before = (gateway.modlb.ok("export"), gateway.modlb.json("status"));
    let error = gateway.modlb.fails("server down s1 10.1.0.2");
    assert!(error.starts_with("slots: 18 are needed, the instance holds 12, and nothing was changed"), "{error}");
    assert!(error.contains("share their slots") && error.contains("`modlb standby`"), "{error}");
    assert_eq!((gateway.modlb.ok("export"), gateway.modlb.json("status")), before);
    // As it says: the same change in all services needs no more.
    gateway.modlb.apply(&services(3, |_| 0..6, Some(1)));
    assert_eq!(capacity(&gateway)["slots"]["used"], 12);
}
