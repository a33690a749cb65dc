//! What no server has a connection for is bounded, and harms no connection that there is.

use std::{
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use lb_common::keep::LAST_TTL;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    WEB, need_root,
    random::Random,
    site::{Entry, Lists, Site},
    support::{network::SERVICES, nft, paced::Downloads, wait::wait},
};

/// No frame is handed on more often.
const MOST: u64 = 18;

/// Sends ACKs for connections that nobody has, from a client's address.
struct Sender(Vec<(Socket, IpAddr)>);

impl Sender {
    fn new(site: &Site) -> Self {
        let socket = |service: IpAddr| {
            let client = SocketAddr::new(Site::clients(service)[0], 0);
            let open = || Socket::new(Domain::for_address(client), Type::RAW, Some(Protocol::TCP)).unwrap();
            let socket = site.client.within(open);
            socket.bind(&client.into()).unwrap();
            (socket, service)
        };
        Self(SERVICES.map(socket).into())
    }

    /// Sends one to each service.
    fn send(&self, port: u16) {
        self.0.iter().for_each(|sender| Self::send_by(sender, port));
    }

    /// Sends one to a service.
    fn send_to(&self, number: usize, port: u16) {
        Self::send_by(&self.0[number], port);
    }

    fn send_by((socket, service): &(Socket, IpAddr), port: u16) {
        let rest = [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0];
        let segment = [&port.to_be_bytes()[..], &80_u16.to_be_bytes(), &rest].concat();
        socket.send_to(&segment, &SocketAddr::new(*service, 0).into()).unwrap();
    }
}

/// Waits until an outcome's counter stays as it is; returns it.
fn settled(site: &Site, outcome: &str) -> u64 {
    let mut before = site.outcome(outcome);
    wait(
        || {
            thread::sleep(Duration::from_millis(200));
            let now = site.outcome(outcome);
            std::mem::replace(&mut before, now) == now
        },
        || format!("{outcome} never comes to rest"),
    );
    before
}

fn random_lists(random: &mut Random, servers: u8) -> Lists {
    let list = |random: &mut Random| {
        let mut list: Vec<_> = (0..servers).map(Entry::up).collect();
        (0..list.len()).for_each(|place| list.swap(place, random.below(usize::from(servers))));
        list.truncate(1 + random.below(usize::from(servers)));
        list
    };
    Lists { servers: list(random), previous: (0..random.below(9)).map(|_| list(random)).collect() }
}

/// Counts what is on the wire with this TTL or hop limit: after the last hand-on that there may be, and after more.
fn watch(site: &Site) {
    let rules = |what: &str, counter: &str| {
        let rule = |ttl: &str| format!("{ttl} {what} counter name {counter}\n");
        rule("ip protocol tcp ip ttl") + &rule("ip6 nexthdr tcp ip6 hoplimit")
    };
    let (last, more) = (rules(&LAST_TTL.to_string(), "last"), rules(&format!("< {LAST_TTL}"), "more"));
    let chain = format!("chain frames {{\ntype filter hook forward priority 0\n{last}{more}}}\n");
    nft::load(&site.switch, &format!("table bridge hops {{\ncounter last {{}}\ncounter more {{}}\n{chain}}}\n"));
}

/// Each host has a file of its own, and none of them is right.
#[test]
fn contradicting_files_hand_a_frame_on_at_most_18_times() {
    const SERVERS: u8 = 5;
    const ROUNDS: usize = 6;
    const STRAYS: u16 = 50;
    need_root!();
    let site = Site::bare(1, SERVERS);
    watch(&site);
    let mut random = Random::new(18);
    site.attach(&Lists::of(0..SERVERS).configuration(WEB), Some(""));
    let sender = Sender::new(&site);
    let before = settled(&site, "handed_on");
    let round = |lists: &mut dyn FnMut(u8) -> Lists| {
        for (number, keeper) in (0..).zip(&site.keepers) {
            keeper.apply(&lists(number).configuration(WEB));
        }
        let before = site.outcome("handed_on");
        (0..STRAYS).for_each(|port| sender.send(40_000 + port));
        settled(&site, "handed_on") - before
    };
    assert_eq!(before, 0);
    // Everyone knows one other server only, and so nobody knows who sent a frame: each is handed on as often as can be.
    let all = 2 * u64::from(STRAYS);
    assert_eq!(round(&mut |number| Lists::of([(number + 1) % SERVERS])), all * MOST);
    assert_eq!(nft::packets(&site.switch, "last"), all);
    let handed_on: Vec<_> = (0..ROUNDS).map(|_| round(&mut |_| random_lists(&mut random, SERVERS))).collect();
    assert!(handed_on.iter().all(|number| *number <= all * MOST), "{handed_on:?}");
    assert!(handed_on.iter().any(|number| *number > all / 2), "hardly anything was handed on: {handed_on:?}");
    assert_eq!(nft::packets(&site.switch, "more"), 0);
    assert_eq!(site.outcome("malformed"), 0);
}

/// A host hands on as many strays as its file allows, and takes all others at once.
#[test]
fn a_limit_of_hand_ons_is_kept() {
    const SERVERS: u64 = 3;
    const LIMIT: u64 = 50;
    const FLOOD: u64 = 10_000;
    need_root!();
    let site = Site::bare(1, SERVERS as u8);
    let with = |limit: &str| format!("{limit}\n{}", Lists::of(0..SERVERS as u8).configuration(WEB));
    let apply = |limit: &str| site.keepers.iter().for_each(|keeper| drop(keeper.apply(&with(limit))));
    site.attach(&with("max_hand_ons = 0"), Some(""));
    let sender = Sender::new(&site);
    let send = |number| {
        let before = ["handed_on", "taken_last"].map(|outcome| site.outcome(outcome));
        (0..number / 2).for_each(|port| sender.send(1_024 + port as u16));
        let after = [settled(&site, "handed_on"), settled(&site, "taken_last")];
        [0, 1].map(|place| after[place] - before[place])
    };
    // Under load the network may lose some.
    let [handed_on, taken_last] = send(1_000);
    assert!(handed_on == 0 && taken_last > 500, "{handed_on}, {taken_last}");

    apply(&format!("max_hand_ons = {LIMIT}"));
    // Those that were taken at once count in their window, too, which lasts 1.07 s.
    thread::sleep(Duration::from_millis(1_100));
    let start = Instant::now();
    let [handed_on, taken_last] = send(FLOOD);
    // Each host counts by itself on each CPU; a window lasts about a second.
    let cpus = thread::available_parallelism().unwrap().get() as u64;
    let windows = 2 + start.elapsed().as_secs();
    assert!(handed_on <= SERVERS * cpus * windows * (LIMIT + LIMIT / 10), "{handed_on} in {windows} windows");
    assert!(handed_on > 0 && taken_last > FLOOD / 2, "{handed_on}, {taken_last}");
    assert_eq!(site.keepers[0].json("status")["max_hand_ons"], LIMIT);
    assert!(site.keepers[0].ok("status").contains("hands on at most 50 frames a second"));
    assert!(site.keepers[0].ok("export").contains("max_hand_ons = 50\n"));

    let file = site.keepers[0].file("many.toml", &with("max_hand_ons = 15000001"));
    let error = site.keepers[0].fails(&format!("apply {}", file.display()));
    assert!(error.contains("max_hand_ons 15000001 is not from 0 to 15000000"), "{error}");
    let file = site.keepers[0].file("default.toml", &with(""));
    let said = site.keepers[0].ok(&format!("apply {}", file.display()));
    assert!(said.contains("~ max_hand_ons 50 → 200000"), "{said}");
    apply("");
    // A stray makes one and a half rounds of a ring of three.
    let [handed_on, taken_last] = send(1_000);
    assert!(handed_on > 2_000 && handed_on >= 4 * taken_last, "{handed_on}, {taken_last}");
}

/// What hosts took last of each service, over all hosts.
fn taken_last(site: &Site) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for view in site.keepers.iter().map(|keeper| keeper.json("connections --interval 0.1")) {
        let services = view["services"].as_array().unwrap();
        let of = |view: &serde_json::Value| view["taken_last"]["packets"].as_u64().unwrap();
        assert_eq!(of(&view), services.iter().map(of).sum::<u64>(), "{view}");
        for service in services {
            let name = service["service"].as_str().unwrap();
            match sums.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += of(service),
                None => sums.push((name.to_owned(), of(service))),
            }
        }
    }
    sums
}

#[test]
fn what_is_taken_last_counts_for_its_service_as_long_as_it_is_configured() {
    need_root!();
    let site = Site::bare(1, 3);
    let lists = Lists::of(0..3);
    site.attach(&lists.configuration(WEB), Some(""));
    let apply = |file: &str| site.keepers.iter().for_each(|keeper| drop(keeper.apply(file)));
    let sender = Sender::new(&site);
    let send = |number: usize, strays: u16| {
        (0..strays).for_each(|port| sender.send_to(number, 2_048 + port));
        settled(&site, "taken_last");
    };
    let named = |four: u64, six: u64| vec![("web4".to_owned(), four), ("web6".to_owned(), six)];
    send(0, 40);
    send(1, 9);
    assert_eq!(taken_last(&site), named(40, 9));
    // Servers and their order change, which moves all other counters.
    let changed = lists.then_of([2, 0, 1], &[1]).configuration(WEB);
    apply(&changed);
    send(1, 5);
    assert_eq!(taken_last(&site), named(40, 14));
    // A service that has gone starts anew, as its servers do; the other's counter stays.
    apply(&changed[changed.rfind("[[service]]").unwrap()..]);
    send(1, 2);
    assert_eq!(taken_last(&site), [("web6".to_owned(), 16)]);
    apply(&changed);
    send(0, 3);
    assert_eq!(taken_last(&site), named(3, 16));
    let stats = site.keepers[0].json("stats");
    assert!(stats["services"].as_array().unwrap().iter().all(|it| it["taken_last"]["packets"].is_u64()), "{stats}");
    assert_eq!(stats["outcomes"]["taken_last"]["packets"].as_u64().map(|packets| packets > 0), Some(true));
}

/// Connections that have to be handed on live through a flood of packets without any.
fn flood(strays: u32) {
    let site = Site::new(1, 4);
    let lists = Lists::of(0..3);
    site.attach(&lists.configuration(WEB), Some(""));
    let start = || SERVICES.map(|service| Downloads::start(&site.client, &Site::clients(service), service, 2));
    let mut downloads = start();
    let lists = lists.then((0..4).map(Entry::up).collect());
    for host in site.keepers.iter().chain(&site.balancers) {
        host.apply(&lists.configuration(WEB));
    }
    let before = ["handed_on", "taken_last"].map(|outcome| site.outcome(outcome));
    let sender = Sender::new(&site);
    let begun = Instant::now();
    (0..strays / 2).for_each(|number| sender.send(1_024 + (number % 60_000) as u16));
    let took = begun.elapsed();
    let broken: Vec<_> = downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let handed_on = settled(&site, "handed_on") - before[0];
    let taken_last = site.outcome("taken_last") - before[1];
    // Four servers: one and a half rounds of the ring are six hand-ons. Downloads have some as well.
    println!("{strays} strays in {took:?}: {taken_last} taken last after {handed_on} hand-ons, connections' included");
    assert!(taken_last > u64::from(strays) / 2, "{taken_last}");
    assert!(handed_on < 7 * u64::from(strays), "{handed_on}");
    // New connections, too.
    let broken: Vec<_> = start().iter_mut().flat_map(|downloads| downloads.finish().broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn a_flood_of_strays_harms_no_connection() {
    need_root!();
    flood(100_000);
}

#[test]
#[ignore = "long: prints how many frames a million strays cost"]
fn a_flood_of_a_million_strays_harms_no_connection() {
    need_root!();
    flood(1_000_000);
}
