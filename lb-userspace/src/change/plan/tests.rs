use lb_common::mac::Mac;
use proptest::prelude::*;

use super::*;
use crate::config::{
    file,
    model::{PeerMac, ServerMac},
    testing,
};

const BASE: &str = r#"
[[service]]
name = "web"
address = "203.0.113.10"
protocol = "tcp"
port = 443
[[service.server]]
address = "10.0.0.11"
[[service.server]]
address = "10.0.0.12"
[[service.server]]
address = "10.0.0.13"
"#;

fn config(text: &str) -> Config {
    file::parse(text).unwrap()
}

/// The plan from [`BASE`] to `BASE` with one text replaced.
fn change(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "{from}");
    diff(&config(BASE), &config(&BASE.replacen(from, to, 1))).to_string()
}

#[test]
fn previous_lists_are_counted() {
    let service = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n";
    let config = |lists: &str| crate::config::file::parse(&format!("{service}previous = {lists}")).unwrap();
    let (none, one, other) = (config("[]"), config(r#"[["10.0.0.1"]]"#), config(r#"[["10.0.0.1 down"]]"#));
    assert_eq!(diff(&none, &one).to_string(), "~ service web: previous lists changed (0 → 1)\n");
    assert_eq!(diff(&one, &other).to_string(), "~ service web: previous lists changed (1 → 1)\n");
    assert!(diff(&one, &one).is_empty());
}

/// In role `keep`, a server that leaves the list for a previous one is removed, and added when it comes back.
#[test]
fn former_servers_are_not_listed() {
    let keep = |previous: &str, servers: &[&str]| {
        let servers: String = servers.iter().map(|it| format!("[[service.server]]\naddress = \"{it}\"\n")).collect();
        config(&format!(
            "role = \"keep\"\n[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\n\
             previous = [{previous}]\n{servers}"
        ))
    };
    let both = keep("", &["10.0.0.1", "10.0.0.2"]);
    let one = keep(r#"["10.0.0.1", "10.0.0.2"]"#, &["10.0.0.1"]);
    let removed = diff(&both, &one).to_string();
    assert!(removed.contains("\n- server web 10.0.0.2\n"), "{removed}");
    let again = keep(r#"["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]"#, &["10.0.0.1", "10.0.0.2"]);
    let added = diff(&one, &again).to_string();
    assert!(added.contains("\n+ server web 10.0.0.2\n"), "{added}");
    let service = diff(&config(""), &one).to_string();
    assert!(service.contains("web: 203.0.113.10, 1 server\n"), "{service}");
}

#[test]
fn peers_are_shown_whatever_their_order() {
    let with = |peers: &str| config(&format!("peers = [{peers}]\n{BASE}"));
    let (none, two) = (config(BASE), with("\"10.0.0.3\", \"10.0.0.2\""));
    assert_eq!(diff(&none, &two).to_string(), "~ peers none → 10.0.0.2, 10.0.0.3\n");
    assert_eq!(diff(&two, &with("\"10.0.0.2\"")).to_string(), "~ peers 10.0.0.2, 10.0.0.3 → 10.0.0.2\n");
    assert!(diff(&two, &with("\"10.0.0.2\", \"10.0.0.3\"")).is_empty());
}

#[test]
fn services_come_and_go() {
    let base = config(BASE);
    assert_eq!(diff(&Config::default(), &base).to_string(), "+ service web: 203.0.113.10:443/tcp, 3 servers\n");
    let none = "! no server is left in any service: nothing is balanced any more\n";
    assert_eq!(diff(&base, &Config::default()).to_string(), format!("- service web\n{none}"));
    assert!(diff(&Config::default(), &Config::default()).is_empty());
    let without = BASE.split("[[service.server]]").next().unwrap();
    assert!(diff(&base, &config(without)).to_string().ends_with(none));
    let renamed = change("\"web\"", "\"shop\"");
    assert_eq!(renamed, "- service web\n+ service shop: 203.0.113.10:443/tcp, 3 servers\n");
}

#[test]
fn properties_of_services_change() {
    assert_eq!(
        change("port = 443", "port = 8443"),
        "~ service web: destination 203.0.113.10:443/tcp → 203.0.113.10:8443/tcp\n"
    );
    assert_eq!(
        change("port = 443", "port = 443\nformula = \"5-tuple\""),
        "~ service web: formula 3-tuple → 5-tuple\n! service web: about 67 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
    assert_eq!(
        change("port = 443", "port = 443\nfragments = \"balance\""),
        "~ service web: fragments pass → balance\n"
    );
    assert_eq!(
        change("port = 443", "port = 443\nselection = \"resilient\""),
        "~ service web: selection modulo → resilient (16381 slots)\n! service web: about 67 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
}

#[test]
fn servers_come_go_and_change() {
    assert_eq!(
        change("[[service.server]]\naddress = \"10.0.0.12\"\n", ""),
        "- server web 10.0.0.12\n! service web: N 3 → 2, about 67 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
    assert_eq!(
        change("address = \"10.0.0.13\"", "address = \"10.0.0.13\"\n[[service.server]]\naddress = \"10.0.0.14\""),
        "+ server web 10.0.0.14\n! service web: N 3 → 4, about 75 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
    assert_eq!(
        change("address = \"10.0.0.12\"", "address = \"10.0.0.12\"\nstate = \"down\""),
        "~ server web 10.0.0.12: down\n"
    );
    assert_eq!(
        change("address = \"10.0.0.12\"", "address = \"10.0.0.12\"\nweight = 2"),
        "~ server web 10.0.0.12: weight 1 → 2\n! service web: N 3 → 4, about 67 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
    assert_eq!(
        change("address = \"10.0.0.12\"", "address = \"10.0.0.12\"\nvlan = 20"),
        "~ server web 10.0.0.12: vlan as it comes → 20\n"
    );
    assert_eq!(
        change("address = \"10.0.0.12\"", "address = \"10.0.0.12\"\nvlan = 0"),
        "~ server web 10.0.0.12: vlan as it comes → untagged\n"
    );
    assert_eq!(
        change("address = \"10.0.0.12\"", "address = \"10.0.0.10\""),
        "- server web 10.0.0.12\n+ server web 10.0.0.10\n~ service web: order of the servers\n\
         ! service web: about 33 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
}

/// Without servers there are no flows that could move.
#[test]
fn flows_of_an_empty_service_do_not_move() {
    let mut empty = config(BASE);
    empty.services[0].servers.clear();
    let mut resilient = config(BASE);
    resilient.services[0].selection = Selection::Resilient { slots: 251 };
    assert_eq!(
        diff(&empty, &resilient).to_string(),
        "~ service web: selection modulo → resilient (251 slots)\n\
         + server web 10.0.0.11\n+ server web 10.0.0.12\n+ server web 10.0.0.13\n"
    );
}

#[test]
fn the_order_of_servers_counts() {
    let mut want = config(BASE);
    want.services[0].servers.swap(0, 2);
    assert_eq!(
        diff(&config(BASE), &want).to_string(),
        "~ service web: order of the servers\n! service web: about 67 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
}

#[test]
fn few_flows_of_a_resilient_service_move() {
    let resilient = BASE.replace("port = 443", "port = 443\nselection = \"resilient\"");
    let have = config(&resilient);
    let mut want = have.clone();
    want.services[0].servers.pop();
    assert_eq!(
        diff(&have, &want).to_string(),
        "- server web 10.0.0.13\n! service web: N 3 → 2, about 33 % of the flows move to another server; there is no `previous` list that covers them\n"
    );
    want = have.clone();
    want.services[0].servers.reverse();
    assert_eq!(diff(&have, &want).to_string(), "~ service web: order of the servers\n");
}

#[test]
fn only_configured_macs_count() {
    let with = |mac| {
        let mut config = config(BASE);
        config.services[0].servers[0].mac = mac;
        config
    };
    let (one, two) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
    let resolved = |mac| ServerMac::Resolved { mac, on: 2 };
    let plan = |from, to| diff(&with(from), &with(to)).to_string();
    let changed = "~ server web 10.0.0.11: mac 02:00:00:00:00:01 → 02:00:00:00:00:02\n";
    assert_eq!(plan(ServerMac::Given(one), ServerMac::Given(two)), changed);
    assert_eq!(plan(resolved(one), ServerMac::Given(two)), changed);
    for (from, to) in [
        (ServerMac::Given(one), ServerMac::Given(one)),
        (ServerMac::Given(one), resolved(one)),
        (ServerMac::Given(one), ServerMac::Unresolved),
        (resolved(one), resolved(two)),
        (resolved(one), ServerMac::Unresolved),
        (ServerMac::Unresolved, ServerMac::Given(one)),
    ] {
        assert_eq!(plan(from, to), "", "{from:?} {to:?}");
    }
}

#[test]
fn changes_as_json() {
    let mut want = config(BASE);
    want.services[0].servers.pop();
    assert_eq!(
        serde_json::to_string(&diff(&config(BASE), &want)).unwrap(),
        r#"[{"change":"server_removed","service":"web","server":"10.0.0.13"},{"change":"flows_move","service":"web","from":3,"to":2,"share":"about 67 % of the flows move to another server; there is no `previous` list that covers them","percent":67,"covered_percent":0}]"#
    );
}

/// A configuration without what a plan leaves out.
fn comparable(config: &Config) -> Config {
    let mut config = config.clone();
    config.interfaces.clear();
    config.peers.sort_by_key(|peer| peer.address);
    config.peers.iter_mut().for_each(|peer| peer.mac = PeerMac::Unresolved);
    config.services.sort_by(|a, b| a.name.cmp(&b.name));
    for server in config.services.iter_mut().flat_map(|service| &mut service.servers) {
        server.mac = ServerMac::Unresolved;
    }
    config
}

proptest! {
    #[test]
    fn a_configuration_does_not_differ_from_itself(config in testing::config()) {
        prop_assert!(diff(&config, &config).is_empty());
    }

    /// A plan is empty only if there is no difference that packets or people could notice. The role cannot change.
    #[test]
    fn every_difference_is_reported(have in testing::config(), want in testing::config()) {
        let want = Config { role: have.role, ..want };
        if comparable(&have) != comparable(&want) {
            prop_assert!(!diff(&have, &want).is_empty());
        } else if have == want {
            prop_assert!(diff(&have, &want).is_empty());
        }
    }
}
