//! Servers go down and come up, and configurations are applied, while clients keep asking.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    HTTP, expected, need_root,
    support::{
        network::{Network, SERVICES, name, request, server_address},
        wait::wait,
    },
};

const CLIENTS: u8 = 12;
const SERVERS: u8 = 3;

/// For how long changes are made.
const LOAD: Duration = Duration::from_secs(5);

/// The number of changes of each kind.
const CHANGES: u32 = 20;

/// With fewer requests the test shows nothing.
const REQUESTS: u64 = 1_000;

/// The only server that goes down.
const DOWN: u8 = 1;

#[test]
fn changes_under_load_lose_no_request() {
    need_root!();
    let network = Network::new(SERVERS, CLIENTS);
    let configuration = network.configuration(SERVERS, HTTP);
    let down = SERVICES.iter().fold(configuration.clone(), |text, service| {
        let server = format!("address = \"{}\"\n", server_address(service.is_ipv6(), DOWN));
        text.replace(&server, &format!("{server}state = \"down\"\n"))
    });
    let more = format!("{down}[[service]]\nname = \"more\"\naddress = \"203.0.113.11\"\n");
    network.attach("native", &configuration);
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let (network, over, asked) = (&network, &over, &asked);
        let clients: Vec<_> = SERVICES
            .into_iter()
            .flat_map(|service| network.client_addresses(service).into_iter().map(move |client| (client, service)))
            .map(|(client, service)| {
                scope.spawn(move || network.client.within(|| keep_asking(client, service, over, asked)))
            })
            .collect();
        let start = Instant::now();
        for round in 0..CHANGES {
            let verb = if round % 2 == 0 { "down" } else { "up" };
            for service in SERVICES {
                network.modlb.ok(&format!(
                    "server {verb} {} {}",
                    name(service),
                    server_address(service.is_ipv6(), DOWN)
                ));
            }
            // A whole configuration that adds or removes another service.
            network.modlb.apply(if round % 2 == 0 { &more } else { &configuration });
            thread::sleep((LOAD * (round + 1) / CHANGES).saturating_sub(start.elapsed()));
        }
        // A client that fails ends, and may leave too few requests for the others.
        let asked = || asked.load(Ordering::Relaxed);
        let has_failed = || clients.iter().any(|client| client.is_finished());
        wait(|| asked() > REQUESTS || has_failed(), || format!("hardly anything was asked: {}", asked()));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    let stats = network.modlb.json("stats");
    assert_eq!(stats["outcomes"]["no_server"]["packets"], 0);
}

/// Asks until it is over. A client whose server stays up is always answered, and only by that server.
fn keep_asking(client: IpAddr, service: IpAddr, over: &AtomicBool, asked: &AtomicU64) {
    let home = expected(client, 0, service, "3-tuple", SERVERS);
    while !over.load(Ordering::Relaxed) {
        let answer = request(client, service);
        asked.fetch_add(1, Ordering::Relaxed);
        if home != DOWN {
            let (_, server) = answer.unwrap_or_else(|error| panic!("{client} → {service}: {error}"));
            assert_eq!(server, home, "{client} → {service}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// While a server is down, its clients are served by the others; afterwards they return to it.
#[test]
fn only_the_flows_of_a_server_that_goes_down_move() {
    need_root!();
    let network = Network::new(SERVERS, CLIENTS);
    network.attach("native", &network.configuration(SERVERS, HTTP));
    let asked = |what: &str| {
        network.client.within(|| {
            let clients = SERVICES
                .into_iter()
                .flat_map(|service| network.client_addresses(service).into_iter().map(move |client| (client, service)));
            clients
                .map(|(client, service)| {
                    let (_, server) =
                        request(client, service).unwrap_or_else(|error| panic!("{what}: {client}: {error}"));
                    (expected(client, 0, service, "3-tuple", SERVERS), server)
                })
                .collect::<Vec<_>>()
        })
    };
    let change = |verb: &str| {
        for service in SERVICES {
            network.modlb.ok(&format!("server {verb} {} {}", name(service), server_address(service.is_ipv6(), DOWN)));
        }
    };
    assert!(asked("before").iter().all(|(home, server)| home == server));
    change("down");
    let during = asked("down");
    assert!(
        during.iter().all(|(home, server)| if *home == DOWN { *server != DOWN } else { home == server }),
        "{during:?}"
    );
    assert!(during.iter().any(|(home, server)| *home == DOWN && *server == 0), "{during:?}");
    assert!(during.iter().any(|(home, server)| *home == DOWN && *server == 2), "{during:?}");
    assert_eq!(during, asked("down, again"));
    change("up");
    assert!(asked("after").iter().all(|(home, server)| home == server));
}
