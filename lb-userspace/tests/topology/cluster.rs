//! Servers that all receive every packet: each request is answered once, by the member that the formula names.

use std::{net::IpAddr, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use serde_json::Value;

use crate::{
    HTTP, expected, need_root,
    support::{
        cluster::Cluster,
        documents,
        modlb::ODD_NAMES,
        namespace::{Namespace, run},
        network::{SERVICES, name, request, server_address},
        nft,
    },
};

const MEMBERS: u8 = 3;
const CLIENTS: u8 = 60;

/// Counts what the client's host sends to the services, and resets that it receives.
const COUNT: &str = "
table inet count {
    counter web4 { }
    counter web6 { }
    counter resets { }
    chain out {
        type filter hook output priority 0;
        ip daddr 203.0.113.10 tcp dport 80 counter name web4
        ip6 daddr 2001:db8:f00::10 tcp dport 80 counter name web6
    }
    chain in {
        type filter hook input priority 0;
        tcp flags & rst == rst counter name resets
    }
}";

/// Makes ten requests from every address to both services. Returns the server that answered each address.
fn ask(cluster: &Cluster, what: &str) -> Vec<(IpAddr, u8)> {
    cluster.client.within(|| {
        let mut answers = Vec::new();
        for service in SERVICES {
            for client in cluster.client_addresses(service) {
                let mut servers: Vec<_> = (0..10)
                    .map(|_| request(client, service).unwrap_or_else(|error| panic!("{what}: {client}: {error}")).1)
                    .collect();
                servers.dedup();
                assert_eq!(servers.len(), 1, "{what}: {client} → {service} was answered by several");
                answers.push((client, servers[0]));
            }
        }
        answers
    })
}

fn service<'a>(stats: &'a Value, name: &str) -> &'a Value {
    stats["services"].as_array().unwrap().iter().find(|service| service["name"] == name).unwrap()
}

/// Every member saw every packet, and together they accepted each packet once, but for at most `strays`: while a member
/// is draining, nobody accepts what comes after the end of a connection.
fn counters_add_up(cluster: &Cluster, client: &Namespace, strays: u64) {
    let all: Vec<_> = cluster.members.iter().map(|member| member.json("stats")).collect();
    let sent: u64 = SERVICES.iter().map(|service| nft::packets(client, name(*service))).sum();
    for address in SERVICES {
        let sent = nft::packets(client, name(address));
        for (number, stats) in all.iter().enumerate() {
            let service = service(stats, name(address));
            assert_eq!(service["packets"], sent, "member {number} saw other packets than were sent to {address}");
            assert_eq!(service["servers"], self::service(&all[0], name(address))["servers"], "members disagree");
        }
    }
    let outcome = |stats: &Value, name: &str| stats["outcomes"][name]["packets"].as_u64().unwrap();
    let accepted: Vec<_> = all.iter().map(|stats| outcome(stats, "accepted")).collect();
    let kept: Vec<_> = all.iter().map(|stats| outcome(stats, "kept")).collect();
    let missing = sent - accepted.iter().chain(&kept).sum::<u64>();
    assert!(missing <= strays, "{missing} of {sent}: {accepted:?}, {kept:?}");
    let mut left = 0;
    for (number, ((stats, accepted), kept)) in all.iter().zip(&accepted).zip(&kept).enumerate() {
        let own = |address: &IpAddr| {
            let server = &service(stats, name(*address))["servers"][number];
            assert_eq!(server["address"], server_address(address.is_ipv6(), number as u8).to_string());
            server["packets"].as_u64().unwrap()
        };
        left += SERVICES.iter().map(own).sum::<u64>() - *accepted;
        assert_eq!(outcome(stats, "others"), sent - accepted - kept, "member {number}");
        assert!(*accepted > 0, "member {number} accepted nothing");
        assert_eq!(outcome(stats, "no_server") + outcome(stats, "malformed"), 0, "member {number}");
    }
    // What a member keeps counts for the owner.
    assert_eq!(left, missing + kept.iter().sum::<u64>());
}

#[test]
fn each_request_is_answered_once() {
    need_root!();
    let cluster = Cluster::new(MEMBERS, CLIENTS);
    nft::load(&cluster.client, COUNT);
    cluster.attach("auto", &documents::toml("CLUSTER.md", "cluster: servers"));
    let before = ask(&cluster, "before");
    let home = |client: IpAddr| {
        let service = if client.is_ipv4() { SERVICES[0] } else { SERVICES[1] };
        expected(client, 0, service, "3-tuple", MEMBERS)
    };
    assert!(before.iter().all(|(client, server)| *server == home(*client)), "{before:?}");
    counters_add_up(&cluster, &cluster.client, 0);
    for member in &cluster.members {
        let stats = member.json("stats");
        assert!(stats["outcomes"]["answered"]["packets"].as_u64() > Some(1), "no one asked for a MAC: {stats}");
    }

    group(&cluster, "down");
    let digests: Vec<_> = cluster.members.iter().map(|member| digests(&member.json("status"))).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let during = ask(&cluster, "down");
    for ((client, was), (_, is)) in before.iter().zip(&during) {
        assert!(if *was == 1 { *is != 1 } else { is == was }, "{client}: {was} → {is}");
    }
    assert!(before.iter().any(|(_, was)| *was == 1));
    group(&cluster, "up");
    assert_eq!(ask(&cluster, "after"), before);
    counters_add_up(&cluster, &cluster.client, 200);
    assert_eq!(nft::packets(&cluster.client, "resets"), 0);
}

/// Takes the second member down or up in both services, by the script that does this over ssh.
fn group(cluster: &Cluster, verb: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/group.sh");
    // A host is named by its network namespace and its instance; the script appends `modlb` and its arguments.
    let via = cluster.members[0].file(
        "via",
        &format!(
            "#!/bin/sh\nhost=$1; shift 2; exec {} --netns ${{host%:*}} --instance ${{host#*:}} \"$@\"\n",
            env!("CARGO_BIN_EXE_modlb")
        ),
    );
    let hosts = cluster.hosts.iter().zip(&cluster.members);
    let hosts: Vec<_> =
        hosts.map(|(host, member)| format!("{}:{}", host.namespace.name(), member.instance())).collect();
    for service in SERVICES {
        let server = server_address(service.is_ipv6(), 1).to_string();
        let mut group = Command::new(&script);
        group.arg("--via").arg(format!("sh {}", via.display())).args([verb, name(service), &server]).args(&hosts);
        let said = String::from_utf8(run(&mut group).stdout).unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), cluster.members.len() + 1, "{said}");
        assert!(lines[lines.len() - 1].starts_with("all members agree: digest "), "{said}");
    }
    let mut unreachable = Command::new(&script);
    unreachable.args(["--via", "false", verb, "web4", "10.0.0.12", "host"]);
    assert!(verb == "down" || !unreachable.status().unwrap().success());
}

/// The script with names of every kind, over what joins words with spaces and hands them to a shell, as ssh does.
#[test]
fn the_script_survives_names() {
    need_root!();
    let cluster = Cluster::new(2, 1);
    let mut text = cluster.configuration("", HTTP);
    for (number, name) in ODD_NAMES.iter().enumerate() {
        text += &format!("[[service]]\nname = '''{name}'''\naddress = \"198.51.100.{}\"\n", number + 1);
        for server in [0, 1] {
            text += &format!("[[service.server]]\naddress = \"{}\"\n", server_address(false, server));
        }
    }
    cluster.attach("auto", &text);
    let programs = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        let path = programs.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    // Behind four words of options.
    program("ssh", "shift 4; export HOST=$1; shift; exec sh -c \"$*\"");
    let modlb = env!("CARGO_BIN_EXE_modlb");
    program("modlb", &format!("exec {modlb} --netns ${{HOST%:*}} --instance ${{HOST#*:}} \"$@\""));
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
    let hosts = cluster.hosts.iter().zip(&cluster.members);
    let hosts: Vec<_> =
        hosts.map(|(host, member)| format!("{}:{}", host.namespace.name(), member.instance())).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/group.sh");
    // A file whose name a pattern would match.
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("web"), "").unwrap();
    let group = |verb: &str, name: &str| {
        let mut group = Command::new(&script);
        group.args([verb, name, "10.0.0.12"]).args(&hosts).env("PATH", &path).current_dir(files.path());
        group.output().unwrap()
    };
    for name in ODD_NAMES {
        for verb in ["down", "up"] {
            let output = group(verb, name);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
            assert!(said.lines().last().unwrap().starts_with("all members agree: digest "), "{name}: {said}");
            for member in &cluster.members {
                let status = member.json("status");
                assert_eq!(service(&status, name)["servers"][1]["state"], verb, "{name}");
            }
        }
    }
    // Who does not know the service does not agree.
    assert_eq!(group("down", "none").status.code(), Some(1));
}

fn digests(status: &Value) -> Vec<String> {
    status["services"].as_array().unwrap().iter().map(|service| service["digest"].to_string()).collect()
}

#[test]
fn a_member_on_a_veth_cannot_be_native() {
    need_root!();
    let cluster = Cluster::new(1, 1);
    let file = cluster.members[0].file("modlb.toml", &cluster.configuration("", HTTP));
    let error = cluster.members[0].fails(&format!("attach eth0 --mode native --config {}", file.display()));
    assert!(error.contains("use `--mode generic`"), "{error}");
    assert!(!cluster.members[0].pins().exists());
}

/// As on a mirror port: the frames are addressed to another host, here to a MAC that no host has.
#[test]
fn promiscuous_members_answer_mirrored_requests() {
    need_root!();
    let cluster = Cluster::new(MEMBERS, 6);
    cluster.attach("generic", &cluster.configuration("promiscuous = true", HTTP));
    for (number, host) in cluster.hosts.iter().enumerate() {
        assert!(host.namespace.run("ip", "link show eth0").contains("PROMISC"), "member {number}");
    }
    for service in SERVICES {
        cluster.client.ip(&format!("neigh replace {service} lladdr 02:00:00:00:77:77 dev eth0 nud permanent"));
    }
    for (client, server) in ask(&cluster, "mirrored") {
        let service = if client.is_ipv4() { SERVICES[0] } else { SERVICES[1] };
        assert_eq!(server, expected(client, 0, service, "3-tuple", MEMBERS));
    }
    cluster.on_all("detach");
    for host in &cluster.hosts {
        assert!(!host.namespace.run("ip", "link show eth0").contains("PROMISC"));
    }
}
