//! What `modlb doctor` and the views say of servers that keep connections.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use serde_json::Value;

use crate::{
    WEB, need_root,
    site::{GROUP, Lists, Site},
    support::{modlb::Modlb, namespace::Namespace, network::SERVICES, wait::wait},
};

/// A site whose servers have a way to clients anywhere, and an earlier list.
fn site() -> Site {
    let site = Site::new(1, 3);
    for host in &site.hosts {
        host.ip("route add default via 10.0.0.200");
        host.ip("-6 route add default via fd00::c8");
    }
    site.attach(&Lists::of(0..3).then_of([0, 1], &[1]).configuration(WEB), Some(""));
    site
}

/// What the doctor complains about: check, level, what was seen, and the cure.
pub fn complaints(modlb: &Modlb) -> Vec<[String; 4]> {
    let output = modlb.output("doctor --json");
    let findings: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = findings.as_array().cloned().unwrap_or_else(|| findings["findings"].as_array().unwrap().clone());
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let bad = findings.iter().filter(|finding| finding["level"] != "ok");
    bad.map(|finding| ["check", "level", "seen", "cure"].map(|key| text(finding, key))).collect()
}

pub fn of<'a>(found: &'a [[String; 4]], check: &str) -> Vec<&'a [String; 4]> {
    found.iter().filter(|[is, ..]| is == check).collect()
}

/// Listens on a port of a namespace until it is dropped.
fn listen(namespace: &Namespace, address: &str) -> TcpListener {
    namespace.within(|| TcpListener::bind(address).unwrap())
}

#[test]
fn a_server_that_is_set_up_is_healthy() {
    need_root!();
    let site = site();
    let found = complaints(&site.keepers[0]);
    for check in ["listener", "nat", "address", "holder", "arp_ignore", "route"] {
        assert!(of(&found, check).is_empty(), "{found:?}");
    }
    let text = site.keepers[0].output("-v doctor");
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("203.0.113.10:80") && text.contains("a socket listens on"), "{text}");
    assert!(text.contains("of the previous list of web4"), "{text}");
}

#[test]
fn connections_that_are_no_sockets_here_are_found() {
    need_root!();
    let mut site = site();
    // The server of a container would listen in another namespace.
    site.stop_servers();
    let found = complaints(&site.keepers[0]);
    let seen = of(&found, "listener");
    assert!(seen.len() == 2 && seen[0][1] == "failure" && seen[0][3].contains("0.0.0.0"), "{found:?}");
    // One socket for both families.
    let _any = listen(&site.hosts[0], "[::]:80");
    assert!(of(&complaints(&site.keepers[0]), "listener").is_empty());

    site.hosts[0].run("nft", "add table ip shop");
    site.hosts[0].run("nft", "add chain ip shop pre { type nat hook prerouting priority -100 ; }");
    site.hosts[0].run("nft", "add rule ip shop pre ip daddr 203.0.113.10 tcp dport 80 dnat to 10.0.0.12");
    let found = complaints(&site.keepers[0]);
    let seen = of(&found, "nat");
    assert!(seen.len() == 1 && seen[0][1] == "failure" && seen[0][2].contains("dnat to 10.0.0.12"), "{found:?}");
}

/// With the balancers' file, before anything is attached.
#[test]
fn a_server_is_checked_before_it_keeps_connections() {
    need_root!();
    let site = Site::bare(1, 2);
    let keeper = &site.keepers[0];
    let file = keeper.file("modlb.toml", &Lists::of(0..2).configuration(WEB));
    let listeners = |options: &str| {
        let output = keeper.output(&format!("doctor --json {options} --config {}", file.display()));
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = findings.to_string();
        (text.contains("\"listener\""), text)
    };
    assert!(!listeners("eth0").0);
    let (checked, text) = listeners("eth0 --keep");
    assert!(checked && text.contains("no socket listens for it here"), "{text}");
    let _any = listen(&site.hosts[0], "[::]:80");
    let (checked, text) = listeners("eth0 --keep");
    assert!(checked && !text.contains("no socket listens for it here"), "{text}");
    assert!(keeper.fails("doctor --keep").contains("--config"));
    let (balancer, configuration) = (&site.balancers[0], Lists::of(0..2).configuration(WEB));
    balancer.attach("eth0 --mode generic", &configuration);
    let error = balancer.fails("doctor --keep");
    assert!(error.contains("has role `balancer`") && error.contains("--config FILE"), "{error}");
}

/// Members look for connections as soon as others may hold them.
#[test]
fn members_whose_connections_are_no_sockets_here_are_found() {
    need_root!();
    let site = Site::bare(1, 3).into_group();
    let member = &site.keepers[0];
    let first = Lists::of(0..3);
    member.attach("eth0 --role member", &format!("{GROUP}{}", first.configuration(WEB)));
    assert!(of(&complaints(member), "listener").is_empty());
    let changed = format!("{GROUP}{}", first.then_of([0, 1], &[]).configuration(WEB));
    member.apply(&changed);
    let found = complaints(member);
    let seen = of(&found, "listener");
    assert!(seen.len() == 2 && seen.iter().all(|seen| seen[1] == "warning"), "{found:?}");
    let _any = listen(&site.hosts[0], "[::]:80");
    assert!(of(&complaints(member), "listener").is_empty());
}

/// Where destinations are translated, `keep` is attached only if that is meant.
#[test]
fn attach_refuses_where_a_rule_translates() {
    need_root!();
    let site = Site::bare(1, 2);
    let host = &site.hosts[0];
    let keeper = &site.keepers[0];
    let file = keeper.file("modlb.toml", &Lists::of(0..2).configuration(WEB));
    let attach = format!("attach eth0 --role keep --config {}", file.display());
    host.run("nft", "add table ip6 shop");
    host.run("nft", "add chain ip6 shop pre { type nat hook prerouting priority -100 ; }");
    host.run("nft", "add rule ip6 shop pre ip6 daddr 2001:db8:f00::10 tcp dport 80 dnat to [fd88::2]:8080");
    let error = keeper.fails(&attach);
    assert!(error.contains("service web6: ") && error.contains("dnat to [fd88::2]:8080"), "{error}");
    assert!(error.contains("remove the rule") && error.contains("`--force`"), "{error}");
    assert!(!keeper.pins().exists());
    keeper.ok(&format!("{attach} --force"));
    keeper.ok("detach");
    host.run("nft", "delete table ip6 shop");
    // One for another port is no obstacle.
    host.run("nft", "add table ip shop");
    host.run("nft", "add chain ip shop pre { type nat hook prerouting priority -100 ; }");
    host.run("nft", "add rule ip shop pre ip daddr 203.0.113.10 tcp dport 81 dnat to 10.0.0.12");
    keeper.ok(&attach);
}

#[test]
fn lost_addresses_and_servers_are_found() {
    need_root!();
    let site = site();
    let [four, six] = SERVICES;
    site.hosts[0].ip(&format!("addr del {four}/32 dev lo"));
    // Only the earlier list has this one; it is gone.
    site.hosts[2].ip("link set eth0 down");
    let found = complaints(&site.keepers[0]);
    let seen = of(&found, "address");
    assert!(seen.len() == 1 && seen[0][3].contains(&four.to_string()), "{found:?}");
    let seen = of(&found, "holder");
    assert!(seen.len() == 2 && seen.iter().all(|seen| seen[1] == "warning"), "{found:?}");
    assert!(seen[0][2].contains("previous list") && seen[0][3].contains("`previous`"), "{found:?}");
    assert!(!found.iter().any(|found| found[2].contains(&six.to_string())), "{found:?}");
}

#[test]
fn status_shows_this_server_and_former_ones() {
    need_root!();
    let site = site();
    let modlb = &site.keepers[0];
    let status = modlb.json("status");
    assert_eq!((&status["role"], &status["interfaces"][0]["mode"]), (&"keep".into(), &"ingress".into()));
    assert_eq!(status["self"], serde_json::json!(["10.0.0.11", "fd00::b"]));
    assert_eq!(status["no_server_of"], serde_json::json!([]));
    let states: Vec<_> = status["services"][0]["servers"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["up", "down", "former"]);
    let text = modlb.ok("status");
    assert!(text.contains("self: 10.0.0.11, fd00::b\n") && text.contains("\nformer: web4 10.0.0.13"), "{text}");
    assert!(modlb.ok("services").contains("1/2"));
    assert_eq!(modlb.ok("status --field self"), "10.0.0.11\nfd00::b\n");
    modlb.ok("status --expect-self 10.0.0.11");
}

/// Prometheus sees what `modlb connections` sees.
#[test]
fn metrics_count_connections() {
    need_root!();
    let site = site();
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("metrics.sock");
    let mut serve = site.keepers[0].command(&format!("serve --listen unix:{}", path.display())).spawn().unwrap();
    wait(|| path.exists(), || "no socket".to_owned());
    let _client = site.client.within(|| TcpStream::connect(SocketAddr::new(SERVICES[0], 80)).unwrap());
    let scrape = || {
        let url = ["-s", "--unix-socket", path.to_str().unwrap(), "http://localhost/metrics"];
        String::from_utf8(Command::new("curl").args(url).output().unwrap().stdout).unwrap()
    };
    let wanted = "modlb_connections{service=\"web4\",state=\"established\"} 1.0";
    wait(|| scrape().lines().any(|line| line == wanted), scrape);
    let text = scrape();
    assert!(text.contains("modlb_service_servers{service=\"web4\",state=\"former\"} 1.0"), "{text}");
    assert!(text.contains("modlb_server_state{service=\"web4\",server=\"10.0.0.13\",state=\"former\"} 1.0"), "{text}");
    assert!(!text.contains("modlb_server_weight{service=\"web4\",server=\"10.0.0.13\"}"), "{text}");
    serve.kill().unwrap();
    serve.wait().unwrap();
}
