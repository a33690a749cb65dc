//! Members of a group learn of changes one after the other, and no connection breaks.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
};

use socket2::{Domain, Socket, Type};

use crate::{
    WEB,
    changes::{EACH, go_on},
    listeners::Listeners,
    need_root,
    random::Random,
    site::{Entry, GROUP, Lists, Site},
    states::{self, CHANGES, SERVERS, STATES, drop_syn_acks, duplicates_meet_time_wait, exchange, finish},
    support::{
        network::{SERVICES, name},
        nft,
        paced::Downloads,
        wait::{PATIENCE, wait},
    },
};

/// Counts the resets that the client gets.
const RESETS: &str = "
table inet resets {
    counter resets { }
    chain input {
        type filter hook input priority 0;
        tcp flags & rst == rst counter name resets
    }
}";

/// A group, some of whose servers are members.
struct Group {
    site: Site,
    attached: Vec<bool>,
    what: &'static str,
}

impl Group {
    fn new(site: Site, what: &'static str, first: &Lists) -> Self {
        let site = site.into_group();
        nft::load(&site.client, RESETS);
        let mut group = Self { attached: vec![false; site.hosts.len()], site, what };
        group.change(first, 0, || {});
        group
    }

    /// Puts lists in force on one host after the other, beginning with this one. New servers become members by it.
    fn change(&mut self, lists: &Lists, first: usize, mut between: impl FnMut()) {
        let configuration = format!("{GROUP}{}", lists.configuration(self.what));
        let hosts = self.attached.len();
        for number in (first..first + hosts).map(|number| number % hosts) {
            let member = &self.site.keepers[number];
            if self.attached[number] {
                member.apply(&configuration);
            } else if lists.servers.iter().any(|entry| usize::from(entry.number) == number) {
                member.attach("eth0 --mode generic", &configuration);
                self.attached[number] = true;
            } else {
                continue;
            }
            between();
        }
    }

    /// The sum of an outcome's packets over all members.
    fn outcome(&self, outcome: &str) -> u64 {
        let members = self.site.keepers.iter().zip(&self.attached).filter(|(_, attached)| **attached);
        let packets = |stats: serde_json::Value| stats["outcomes"][outcome]["packets"].as_u64().unwrap();
        members.map(|(member, _)| packets(member.json("stats"))).sum()
    }

    fn resets(&self) -> u64 {
        nft::packets(&self.site.client, "resets")
    }
}

/// The downloads that break while lists follow each other, and the resets that the client gets.
fn downloads(group: &mut Group, changes: &[Lists]) -> (Vec<String>, u64) {
    let start = |group: &Group| {
        SERVICES.map(|service| Downloads::start(&group.site.client, &Site::clients(service), service, EACH))
    };
    let mut downloads: Vec<_> = start(group).into();
    for (first, lists) in changes.iter().enumerate() {
        group.change(lists, first, || go_on(&downloads));
        downloads.extend(start(group));
    }
    let broken = downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect();
    (broken, group.resets())
}

/// A server is added, taken down, brought back with another weight, and removed; then the order changes.
fn changes() -> [Lists; 6] {
    let [a, b, c, d] = [0, 1, 2, 3].map(Entry::up);
    let first = Lists::of(0..3);
    let second = first.then(vec![a, b, c, d]);
    let third = second.then(vec![a, Entry { down: true, ..b }, c, d]);
    let fourth = third.then(vec![a, Entry { weight: 3, ..b }, c, d]);
    let fifth = fourth.then(vec![a, c, d]);
    let sixth = fifth.then(vec![d, a, c]);
    [first, second, third, fourth, fifth, sixth]
}

#[test]
fn no_download_breaks_in_a_group() {
    need_root!();
    let changes = changes();
    let mut group = Group::new(Site::new(0, 4), WEB, &changes[0]);
    let (broken, resets) = downloads(&mut group, &changes[1..]);
    assert_eq!((broken.len(), resets), (0, 0), "{broken:?}");
    assert!(group.outcome("kept") > 0, "no connection stayed where it was");
}

#[test]
fn without_previous_lists_downloads_break_in_a_group() {
    need_root!();
    let changes = changes().map(|lists| Lists { previous: Vec::new(), ..lists });
    let mut group = Group::new(Site::new(0, 4), WEB, &changes[0]);
    let (broken, resets) = downloads(&mut group, &changes[1..2]);
    assert!(broken.len() > 5 && resets > 0, "{resets} resets: {broken:?}");
}

/// By hand, without a file: while the server is down, it keeps what it holds.
#[test]
fn a_member_that_is_taken_down_by_hand_keeps_what_it_holds() {
    need_root!();
    let first = Lists::of(0..3);
    let mut group = Group::new(Site::new(0, 3), WEB, &first);
    let start = |service| Downloads::start(&group.site.client, &Site::clients(service), service, EACH);
    let mut downloads = Vec::from(SERVICES.map(start));
    let [down, held] = [0, 1].map(|member: usize| &group.site.keepers[member]);
    for member in &group.site.keepers {
        for service in SERVICES {
            let server = if service.is_ipv4() { "10.0.0.12" } else { "fd00::c" };
            member.ok(&format!("server down {} {server}", name(service)));
        }
        go_on(&downloads);
    }
    let view = held.json("connections --interval 0.2");
    assert!(view["held"].as_u64().unwrap() > 0 && view["kept"]["packets"].as_u64().unwrap() > 0, "{view}");
    assert_eq!(down.json("connections --interval 0.2")["kept"]["packets"], 0, "it held nothing of others");
    let broken: Vec<_> = downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect();
    assert_eq!((broken.len(), group.resets()), (0, 0), "{broken:?}");
    held.ok("connections --wait --timeout 90");
    group.change(&first, 0, || {});
}

/// Every state, and four random changes.
fn survive(seed: u64, what: &'static str) {
    let first = Lists::of(0..3);
    let mut group = Group::new(Site::bare(0, SERVERS), what, &first);
    let listeners = Listeners::new(&group.site);
    let (mut random, mut lists) = (Random::new(seed), first);
    // In this test all hosts have one secret, so only one of them may send cookies.
    let mut connections = states::open(&group.site, &listeners, 1);
    assert!(STATES.iter().all(|state| connections.iter().any(|connection| connection.state == *state)));
    for number in 1..=CHANGES {
        lists = states::change(&mut random, &lists);
        let host = random.below(SERVERS.into());
        group.change(&lists, host, || exchange(&mut connections));
        drop_syn_acks(&group.site, number);
    }
    finish(&listeners, &mut connections);
    assert_eq!(group.resets(), 0);
    duplicates_meet_time_wait(&group.site, &connections, || group.outcome("accepted") + group.outcome("kept"));
    println!("seed {seed}: {} kept; {lists:?}", group.outcome("kept"));
}

#[test]
fn connections_in_every_state_survive_in_a_group() {
    need_root!();
    survive(1, WEB);
}

#[test]
fn connections_in_every_state_survive_in_a_resilient_group() {
    need_root!();
    survive(2, "protocol = \"tcp\"\nport = 80\nformula = \"5-tuple\"\nselection = \"resilient\"\nslots = 251");
}

/// Begins to connect from each of the client's addresses, from some ports.
fn begin(service: IpAddr, each: u16) -> Vec<Socket> {
    let to = SocketAddr::new(service, 80);
    let ports = (0..each).map(|port| 30_000 + port);
    let ends = ports.flat_map(|port| Site::clients(service).into_iter().map(move |client| (client, port)));
    let socket = |(client, port): (IpAddr, u16)| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(client, port).into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let begun = socket.connect(&to.into()).unwrap_err();
        assert_eq!(begun.raw_os_error(), Some(libc::EINPROGRESS));
        socket
    };
    ends.map(socket).collect()
}

/// A server has seen the SYN, but its SYN-ACK was lost; when the client repeats the SYN, another one owns the flow.
#[test]
fn connections_open_though_two_members_have_seen_their_syns() {
    need_root!();
    const LOST: &str = "table inet lost {\nchain input {\ntype filter hook input priority 0\n\
                        tcp flags & (syn | ack) == (syn | ack) drop\n}\n}\n";
    let first = Lists::of(0..3);
    let mut group = Group::new(Site::bare(0, 4), WEB, &first);
    let listeners = Listeners::new(&group.site);
    nft::load(&group.site.client, LOST);
    let begun: Vec<_> = SERVICES.iter().flat_map(|it| group.site.client.within(|| begin(*it, 4))).collect();
    let taken = |group: &Group| group.outcome("accepted");
    wait(|| taken(&group) >= begun.len() as u64, || format!("{} SYNs are accepted", taken(&group)));
    group.change(&first.then_of(0..4, &[]), 0, || {});
    // Each SYN comes again, to the owner now.
    let before = taken(&group);
    wait(|| taken(&group) >= before + begun.len() as u64, || format!("{} SYNs came again", taken(&group) - before));
    group.site.client.run("nft", "delete table inet lost");
    let mut clients: Vec<TcpStream> = begun.into_iter().map(TcpStream::from).collect();
    wait(|| clients.iter().all(|client| client.peer_addr().is_ok()), || "not all are connected".to_owned());
    for client in &mut clients {
        client.set_nonblocking(false).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(b"?").unwrap();
    }
    for _ in &clients {
        let (mut server, at, _) = listeners.next();
        server.read_exact(&mut [0]).unwrap_or_else(|error| panic!("{at}: {error}"));
        server.write_all(b"!").unwrap();
    }
    for client in &mut clients {
        client.read_exact(&mut [0]).unwrap();
    }
    assert!(listeners.accept().is_none(), "a connection was opened twice");
    assert_eq!(group.resets(), 0);
}
