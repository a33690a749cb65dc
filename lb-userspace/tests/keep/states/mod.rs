//! Connections in every state survive changes, in whatever order hosts learn of them.
//!
//! Both ends of every connection are sockets of the test, so nothing happens by chance.

mod connection;

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use self::connection::{Connection, EACH, State};
use crate::{
    WEB,
    listeners::Listeners,
    need_root,
    random::Random,
    site::{Entry, Lists, Site},
    support::{modlb::Modlb, network::SERVICES, wait::wait},
};

/// Servers that lists are made of.
pub const SERVERS: u8 = 5;

/// Changes that connections live through.
pub const CHANGES: usize = 4;

/// Those that are not accepted come last: they stay in the queue. SYNs that are repeated must not get cookies.
pub const STATES: [State; 8] = [
    State::Established,
    State::ClosedByClient,
    State::ClosedByServer,
    State::FinWait2,
    State::TimeWait,
    State::Queued,
    State::Cookie,
    State::SynRecv,
];

/// Accepts what waits, and gives each connection its end. Returns how many there were.
fn accept(listeners: &Listeners, connections: &mut [Connection]) -> usize {
    let mut accepted = 0;
    while let Some((stream, from, number)) = listeners.accept() {
        let connection = connections.iter_mut().find(|connection| connection.at == from);
        let connection = connection.unwrap_or_else(|| panic!("{from} is no client"));
        connection.server = Some((stream, number));
        accepted += 1;
    }
    accepted
}

/// Keeps SYN-ACKs from some connections, fewer after each of the changes.
pub fn drop_syn_acks(site: &Site, changes: usize) {
    let numbers = (0..EACH).filter(|connection| changes == 0 || connection % CHANGES >= changes);
    let ports: Vec<_> = numbers.map(|number| State::SynRecv.port(number).to_string()).collect();
    let what = format!("tcp dport {{ {} }} tcp flags & (syn | ack) == syn | ack", ports.join(", "));
    site.drop_at_client((!ports.is_empty()).then_some(("input", &what)));
}

/// Brings connections into their states. The first `cookies` servers send SYN cookies; to the others, a connection for
/// which they should is in SYN_RECV.
pub fn open(site: &Site, listeners: &Listeners, cookies: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for state in STATES {
        if state == State::Cookie {
            site.sysctl(..cookies, "tcp_syncookies", "2");
            site.drop_acks();
        } else if state == State::SynRecv {
            drop_syn_acks(site, 0);
        }
        let new = SERVICES.map(|service| {
            site.client.within(|| (0..EACH).map(|number| Connection::open(state, service, number)).collect::<Vec<_>>())
        });
        let mut new: Vec<_> = new.into_iter().flatten().collect();
        if state == State::Cookie {
            site.drop_at_client(None);
            site.sysctl(.., "tcp_syncookies", "1");
        }
        if !state.is_accepted_late() {
            let mut accepted = 0;
            wait(
                || {
                    accepted += accept(listeners, &mut new);
                    accepted == new.len()
                },
                || format!("{state:?}: not all are accepted"),
            );
            new.iter_mut().for_each(Connection::enter);
        }
        connections.extend(new);
    }
    connections
}

/// Both ends of idle connections say something to each other.
pub fn exchange(connections: &mut [Connection]) {
    for connection in connections.iter_mut().filter(|connection| connection.state == State::Established) {
        let talk = connection.talk();
        talk.unwrap_or_else(|error| panic!("{}, held by {:?}: {error}", connection.at, connection.server));
    }
}

/// Every connection does what is left to do in its state.
pub fn finish(listeners: &Listeners, connections: &mut [Connection]) {
    let mut late = 0;
    for connection in connections.iter_mut().filter(|connection| connection.state.is_accepted_late()) {
        let begin = connection.begin();
        begin.unwrap_or_else(|error| panic!("{:?} {}: {error}", connection.state, connection.at));
        late += 1;
    }
    let mut accepted = 0;
    wait(
        || {
            accepted += accept(listeners, connections);
            accepted >= late
        },
        || format!("not all of {late} late connections are accepted"),
    );
    for connection in connections.iter_mut() {
        let close = connection.close();
        close.unwrap_or_else(|error| panic!("{:?} {}: {error}", connection.state, connection.at));
    }
}

/// An old duplicate of a closed connection finds it in TIME_WAIT, wherever it comes; `packets` counts those.
pub fn duplicates_meet_time_wait(site: &Site, connections: &[Connection], packets: impl Fn() -> u64) {
    let before = packets();
    let closed = connections.iter().filter(|connection| connection.state == State::TimeWait);
    let mut sent = 0;
    for Connection { service, at, .. } in closed {
        let kind = Type::RAW;
        let segment =
            [&at.port().to_be_bytes()[..], &80_u16.to_be_bytes(), &[0; 8], &[0x50, 0x10, 1, 0, 0, 0, 0, 0]].concat();
        let socket = site.client.within(|| Socket::new(Domain::for_address(*at), kind, Some(Protocol::TCP)).unwrap());
        socket.bind(&SocketAddr::new(at.ip(), 0).into()).unwrap();
        socket.send_to(&segment, &SocketAddr::new(*service, 0).into()).unwrap();
        sent += 1;
    }
    let found = || packets() - before;
    wait(|| found() >= sent, || format!("{} of {sent} found a connection", found()));
}

/// A random change.
pub fn change(random: &mut Random, lists: &Lists) -> Lists {
    let mut servers = lists.servers.clone();
    let place = random.below(servers.len());
    let up = servers.iter().filter(|entry| !entry.down).count();
    let absent = (0..SERVERS).find(|number| servers.iter().all(|entry| entry.number != *number));
    match (random.below(6), absent) {
        (0, Some(number)) => servers.insert(random.below(servers.len() + 1), Entry::up(number)),
        (1, _) if up > 1 && servers.len() > 2 && !servers[place].down => drop(servers.remove(place)),
        (2, _) if up > 1 => servers[place].down = true,
        (3, _) => servers[place].down = false,
        (4, _) => servers[place].weight = 1 + random.below(4) as u32,
        _ => servers.rotate_left(1),
    }
    if servers == lists.servers { change(random, lists) } else { lists.then(servers) }
}

/// Who learns of a change first.
#[derive(Clone, Copy, Debug)]
enum Order {
    Servers,
    Balancers,
    HalfOfTheServers,
}

fn survive(order: Order, seed: u64) {
    let site = Site::bare(1, SERVERS);
    let listeners = Listeners::new(&site);
    let mut random = Random::new(seed);
    let mut lists = Lists::of(0..3);
    site.attach(&lists.configuration(WEB), Some(""));
    let mut connections = open(&site, &listeners, SERVERS.into());
    assert_eq!(connections.len(), 2 * EACH * STATES.len());
    for number in 1..=CHANGES {
        lists = change(&mut random, &lists);
        let configuration = lists.configuration(WEB);
        let apply = |hosts: &[Modlb]| hosts.iter().for_each(|host| drop(host.apply(&configuration)));
        let half = site.keepers.len() / 2;
        match order {
            Order::Servers => apply(&site.keepers),
            Order::Balancers => apply(&site.balancers),
            Order::HalfOfTheServers => apply(&site.keepers[..half]),
        }
        exchange(&mut connections);
        match order {
            Order::Servers => apply(&site.balancers),
            Order::Balancers => apply(&site.keepers),
            Order::HalfOfTheServers => {
                apply(&site.balancers);
                exchange(&mut connections);
                apply(&site.keepers[half..]);
            }
        }
        drop_syn_acks(&site, number);
        exchange(&mut connections);
    }
    finish(&listeners, &mut connections);
    let taken_last = site.outcome("taken_last");
    duplicates_meet_time_wait(&site, &connections, || site.outcome("kept"));
    assert_eq!(site.outcome("taken_last"), taken_last);
    println!("{order:?}, seed {seed}: {} hand-ons; {lists:?}", site.outcome("handed_on"));
}

#[test]
fn servers_learn_of_changes_first() {
    need_root!();
    survive(Order::Servers, 1);
}

#[test]
fn balancers_learn_of_changes_first() {
    need_root!();
    survive(Order::Balancers, 2);
}

#[test]
fn half_of_the_servers_learn_of_changes_late() {
    need_root!();
    survive(Order::HalfOfTheServers, 3);
}
