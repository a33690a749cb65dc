//! Several stateful routers side by side: both directions of a session pass through the same router.

use std::{thread, time::Duration};

use crate::{
    expected, need_root,
    support::{
        cluster::GROUP,
        documents,
        modlb::Modlb,
        network::BULK,
        routers::{self, ROUTERS, Routers, SERVERS, address, converse, server},
        wait::PATIENCE,
    },
};

/// Connections from each of the client's addresses to each server of its family.
const CONNECTIONS: usize = 3;

/// How long connections are tried that routers drop.
const DROPPED: Duration = Duration::from_secs(3);

/// Makes connections from every client to every server. Returns how many each router should open, by the formula.
fn ask(routers: &Routers, formula: &str) -> Vec<u64> {
    let mut opened = vec![0; usize::from(ROUTERS)];
    routers.client.within(|| {
        for six in [false, true] {
            for client in routers.clients(six) {
                for (number, _) in (0..SERVERS).flat_map(|number| (0..CONNECTIONS).map(move |time| (number, time))) {
                    let to = server(six, number);
                    let (port, answer) =
                        converse(client, to, PATIENCE).unwrap_or_else(|error| panic!("{client} → {to}: {error}"));
                    assert_eq!(answer, number);
                    opened[usize::from(expected(client, port, to, formula, ROUTERS))] += 1;
                }
            }
        }
    });
    opened
}

/// Makes downloads, which take many packets.
fn download(routers: &Routers) {
    routers.client.within(|| {
        let pairs = [false, true].map(|six| routers.clients(six).into_iter().take(3).map(move |c| (c, server(six, 0))));
        for (client, to) in pairs.into_iter().flatten() {
            let bytes = routers::download(client, to).unwrap_or_else(|error| panic!("{client}: {error}"));
            assert_eq!(bytes, BULK);
        }
    });
}

fn assert_opened(routers: &Routers, before: &[u64], wanted: &[u64]) {
    let after = routers.counters("opened");
    let opened: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(opened, wanted, "connections by router");
    assert!(opened.iter().all(|count| *count > 0), "{opened:?}");
    assert_eq!(opened.iter().sum::<u64>() as usize, 2 * 25 * usize::from(SERVERS) * CONNECTIONS);
    assert_eq!(routers.counters("invalid"), vec![0; usize::from(ROUTERS)], "packets of others' connections");
    assert_eq!(routers.resets(), 0, "resets");
}

fn head(extra: &str) -> String {
    format!("role = \"member\"\ngroup_mac = \"{GROUP}\"\n{extra}")
}

#[test]
fn each_session_has_one_router() {
    need_root!();
    let routers = Routers::new();
    routers.clients_send_to_the_group();
    routers.servers_send_to_the_group();
    let everything = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    // The 5-tuple sum is symmetric; with the 3-tuple modlb swaps packets that come from the servers' network.
    let symmetric = Routers::configuration_of(&head(""), &everything, "formula = \"5-tuple\"", None);
    let swapped = documents::toml("CLUSTER.md", "cluster: routers");
    for (number, (formula, configuration)) in [("5-tuple", &symmetric), ("3-tuple", &swapped)].iter().enumerate() {
        for member in &routers.members {
            if number == 0 {
                member.attach("eth0 eth1 --mode generic", configuration);
            } else {
                member.apply(configuration);
            }
        }
        let before = routers.counters("opened");
        let wanted = ask(&routers, formula);
        assert_opened(&routers, &before, &wanted);
        download(&routers);
        assert_eq!(routers.counters("invalid"), vec![0; usize::from(ROUTERS)]);
    }
    for (number, member) in routers.members.iter().enumerate() {
        let stats = member.json("stats");
        let forwarded = routers.counters("to_servers")[number] + routers.counters("to_clients")[number];
        assert_eq!(stats["outcomes"]["accepted"]["packets"], forwarded, "router {number} forwards what it accepts");
    }

    // Without a direction, replies are added up as they are, and reach routers that do not know their connections.
    let wrong = Routers::configuration_of(&head(""), &everything, "", None);
    routers.members.iter().for_each(|member| drop(member.apply(&wrong)));
    thread::scope(|scope| {
        for client in routers.clients(false) {
            let namespace = &routers.client;
            scope.spawn(move || namespace.within(|| drop(converse(client, server(false, 0), DROPPED))));
        }
    });
    assert!(routers.counters("invalid").iter().sum::<u64>() > 0, "the firewall rules would not have noticed");
}

/// Replies leave by the router that forwarded the request, whether members or a balancer choose that router.
fn servers_steer(front: &str, options: &str) {
    let routers = Routers::new();
    routers.servers_send_to_a_router();
    if front == "member" {
        routers.clients_send_to_the_group();
        let configuration = Routers::configuration(&head(""), "", None);
        routers.members.iter().for_each(|member| drop(member.attach("eth0 --mode generic", &configuration)));
    } else {
        routers.clients_send_to_the_gateway();
        routers.balancer.attach("eth0 --mode generic", &Routers::configuration("", "", Some(1)));
    }
    let steering = documents::toml("CLUSTER.md", "cluster: steering");
    routers.steering.iter().for_each(|server| drop(server.attach(&format!("eth0 {options}"), &steering)));
    check(&routers);

    // The same with a router down everywhere: only its sessions move, and both directions move to the same router.
    let down = |modlb: &Modlb| {
        for (name, six) in [("net4", false), ("net6", true)] {
            modlb.ok(&format!("server down {name} {}", address(1, six, 12)));
        }
    };
    let fronts: Vec<_> = if front == "member" { routers.members.iter().collect() } else { vec![&routers.balancer] };
    fronts.into_iter().chain(&routers.steering).for_each(down);
    let before = routers.counters("opened");
    let home = ask(&routers, "3-tuple");
    let opened: Vec<_> = routers.counters("opened").iter().zip(&before).map(|(a, b)| a - b).collect();
    assert!(opened[1] == 0 && opened[0] > home[0] && opened[2] > home[2], "{home:?} → {opened:?}");
    assert_eq!(routers.counters("invalid"), vec![0; usize::from(ROUTERS)]);
    assert_eq!(routers.resets(), 0, "resets");
}

fn check(routers: &Routers) {
    let before = routers.counters("opened");
    let wanted = ask(routers, "3-tuple");
    assert_opened(routers, &before, &wanted);
    download(routers);
    assert_eq!(routers.counters("invalid"), vec![0; usize::from(ROUTERS)]);
    // Each router had to forward what the servers sent to it.
    let mut steered = vec![0; usize::from(ROUTERS)];
    for server in &routers.steering {
        let stats = server.json("stats");
        for service in stats["services"].as_array().unwrap() {
            for (sum, router) in steered.iter_mut().zip(service["servers"].as_array().unwrap()) {
                *sum += router["packets"].as_u64().unwrap();
            }
        }
    }
    assert_eq!(steered, routers.counters("to_clients"));
}

#[test]
fn replies_are_steered_behind_members() {
    need_root!();
    servers_steer("member", "");
}

#[test]
fn replies_are_steered_behind_a_balancer() {
    need_root!();
    servers_steer("balancer", "");
}

#[test]
fn replies_are_steered_by_clsact() {
    need_root!();
    servers_steer("balancer", "--clsact");
}
