//! Servers that are taken down by hand, and files that come afterwards.

use serde_json::{Value, json};

use crate::{Gateway, need_root, web};

fn server(gateway: &Gateway, last: u8) -> Value {
    let address = format!("10.0.0.{last}");
    let servers = gateway.modlb.json("servers");
    servers.as_array().unwrap().iter().find(|server| server["address"] == *address).unwrap().clone()
}

fn states(gateway: &Gateway) -> Vec<String> {
    let servers = gateway.modlb.json("servers");
    servers.as_array().unwrap().iter().map(|server| server["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_says_whom_it_brings_back() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11, 12]));
    assert_eq!(modlb.ok("server down web 10.0.0.11"), "~ server web 10.0.0.11: down\n");
    let down = server(&gateway, 11);
    assert_eq!(
        (&down["state"], &down["reason"], &down["by_hand"]),
        (&"down".into(), &"by hand".into(), &"next_file".into())
    );
    let file = modlb.file("modlb.toml", &web(&[11, 12]));
    let line = "! brings back web 10.0.0.11, which was taken down by hand ";
    let starts = |said: &str| said.lines().any(|said| said.starts_with(line) && said.ends_with(" ago"));
    let said = modlb.ok(&format!("apply {} --dry-run", file.display()));
    assert!(starts(&said) && said.starts_with("~ server web 10.0.0.11: up\n"), "{said}");
    let plan = modlb.json(&format!("apply {} --dry-run", file.display()));
    assert_eq!((&plan[1]["change"], &plan[1]["server"]), (&"brought_back".into(), &"10.0.0.11".into()), "{plan}");
    assert_eq!(states(&gateway), ["down", "up"]);
    assert!(starts(&modlb.ok(&format!("apply {}", file.display()))));
    assert_eq!(states(&gateway), ["up", "up"]);
    // What the operator does is no surprise, and what the file has down is not taken down by hand.
    modlb.ok("server down web 10.0.0.11");
    assert_eq!(modlb.ok("server up web 10.0.0.11"), "~ server web 10.0.0.11: up\n");
    let down = web(&[11, 12]).replacen("mac", "state = \"down\"\nmac", 1);
    modlb.apply(&down);
    assert_eq!(modlb.ok("server down web 10.0.0.11"), "nothing to change\n");
    assert_eq!(server(&gateway, 11).get("by_hand"), None);
    assert_eq!(modlb.apply(&web(&[11, 12])), "~ server web 10.0.0.11: up\n");
    // `attach` puts a file in force as well.
    modlb.ok("server down web 10.0.0.12");
    let said = modlb.attach("eth0", &web(&[11, 12]));
    assert!(said.contains("! brings back web 10.0.0.12, which was taken down by hand"), "{said}");
}

#[test]
fn a_sticky_one_stays_down_until_it_is_taken_up() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11, 12]));
    let digest = modlb.ok("status --field digest");
    let said = modlb.ok("server down web 10.0.0.11 --sticky");
    assert_eq!(said, "~ server web 10.0.0.11: down by hand, until `modlb server up`\n");
    assert_ne!(modlb.ok("status --field digest"), digest, "balancers must see that they differ");
    let held = || {
        let server = server(&gateway, 11);
        assert_eq!((&server["state"], &server["by_hand"]), (&"down".into(), &"server_up".into()), "{server}");
        assert_eq!(server["reason"], "by hand, until `modlb server up`");
        assert!(server["since"].as_u64() > Some(1_700_000_000), "{server}");
    };
    held();
    let since = server(&gateway, 11)["since"].clone();
    // Whatever comes: the same file, one that names the state, another order, another command, another program.
    for text in [web(&[11, 12]), web(&[12, 11]), web(&[11, 12, 13]).replace("mac", "state = \"up\"\nmac")] {
        let file = modlb.file("modlb.toml", &text);
        let output = modlb.output(&format!("apply {}", file.display()));
        let warned = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && warned.contains("server 10.0.0.11 stays down: by hand"), "{warned}");
        held();
    }
    modlb.ok("upgrade");
    modlb.ok("attach eth1");
    modlb.ok("detach eth1");
    modlb.attach("eth0", &web(&[11, 12]));
    modlb.ok("server remove web 10.0.0.12");
    assert_eq!(modlb.ok("server down web 10.0.0.11"), "nothing to change\n");
    held();
    assert_eq!(server(&gateway, 11)["since"], since);
    let text = modlb.ok("status") + &modlb.ok("servers");
    assert_eq!(text.matches("by hand, until `modlb server up`").count(), 2, "{text}");
    let exported = modlb.ok("export");
    assert!(
        exported.starts_with("# service web: server 10.0.0.11 stays down: by hand, until `modlb server up`"),
        "{exported}"
    );
    assert!(!exported.contains("state"), "{exported}");
    modlb.ok("server add web 10.0.0.12 --mac 02:00:00:00:02:0c");
    // 198.51.100.0 and 1, and 203.0.113.10:80: one sum is even, the other odd.
    let explained: Vec<_> =
        (0..2).map(|client| modlb.json(&format!("explain 198.51.100.{client}:1 203.0.113.10:80"))).collect();
    assert!(explained.iter().all(|it| it["server"] == "10.0.0.12"), "{explained:?}");
    let absent: Vec<_> = explained.iter().filter_map(|it| it.get("instead_of")).collect();
    assert_eq!(
        absent,
        [&json!({"server": "10.0.0.11", "state": "down", "reason": "by hand, until `modlb server up`"})]
    );
    modlb.ok("server remove web 10.0.0.12");
    assert_eq!(modlb.ok("server up web 10.0.0.11"), "~ server web 10.0.0.11: up\n");
    assert_eq!(states(&gateway), ["up"]);
    assert!(!modlb.ok("export").contains('#'));
}

#[test]
fn only_an_agent_brings_a_server_back() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11, 12]));
    let error = modlb.fails("server down web 10.0.0.11 --for 30m");
    assert!(error.starts_with("--for needs the agent") && error.contains("--sticky"), "{error}");
    assert_eq!(states(&gateway), ["up", "up"]);
    assert_eq!(modlb.output("server down web 10.0.0.11 --for 30m --sticky").status.code(), Some(2));
    assert_eq!(modlb.output("server down web 10.0.0.11 --for 30").status.code(), Some(2));
}

#[test]
fn changes_of_servers_are_printed_as_json() {
    need_root!();
    let gateway = Gateway::new();
    let modlb = &gateway.modlb;
    modlb.attach("eth0", &web(&[11, 12]));
    let down = modlb.json("server down web 10.0.0.11");
    let expected = json!([{
        "change": "server_changed", "service": "web", "server": "10.0.0.11", "property": "state", "from": "up", "to": "down",
    }]);
    assert_eq!(down, expected);
    assert_eq!(modlb.json("server down web 10.0.0.11"), json!([]));
}
