//! Connections in every state survive changes, in whatever order hosts learn of them.
//!
//! Both ends of every connection are sockets of the test, so nothing happens by chance.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    thread,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    WEB,
    listeners::Listeners,
    need_root,
    random::Random,
    site::{Entry, Lists, Site},
    support::{
        namespace::Namespace,
        network::SERVICES,
        nft,
        wait::{PATIENCE, wait},
    },
};

/// Servers that lists are made of.
pub const SERVERS: u8 = 5;

/// Connections in each state and family.
const EACH: usize = 36;

/// The client's first port.
pub const FIRST_PORT: u16 = 20_000;

/// More than fits into buffers, so that it needs acknowledgements.
const MUCH: usize = 1 << 20;

/// A state in which a server may have a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Nobody has accepted it.
    Queued,
    /// By a SYN cookie, of which the server has not seen the ACK.
    Cookie,
    /// Idle.
    Established,
    /// The client has closed its direction.
    ClosedByClient,
    /// The server has closed its direction.
    ClosedByServer,
    /// The server has closed it altogether, the client has not.
    FinWait2,
    /// Both have closed it, the server first.
    TimeWait,
}

/// Those that are not accepted come last: they stay in the queue.
pub const STATES: [State; 7] = [
    State::Established,
    State::ClosedByClient,
    State::ClosedByServer,
    State::FinWait2,
    State::TimeWait,
    State::Queued,
    State::Cookie,
];

/// A connection.
pub struct Connection {
    pub state: State,
    service: IpAddr,
    client: TcpStream,
    /// Its address, which stays known after it is closed.
    at: SocketAddr,
    /// The server's end and the server; `None`: not accepted, or closed.
    server: Option<(TcpStream, usize)>,
}

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

/// A connection from one of the client's addresses; for some states it is only begun.
fn connect(state: State, service: IpAddr, number: usize) -> Connection {
    let to = SocketAddr::new(service, 80);
    let clients = Site::clients(service);
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    // Ports that the kernel chooses come again once a connection is closed.
    let port = FIRST_PORT + (state as usize * EACH + number) as u16;
    socket.bind(&SocketAddr::new(clients[number % clients.len()], port).into()).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap_or_else(|error| panic!("{state:?} {service}: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    let at = socket.local_addr().unwrap().as_socket().unwrap();
    Connection { state, service, client: socket.into(), at, server: None }
}

/// Drops packets at the client.
pub fn rules(site: &Site, rule: Option<&str>) {
    let chain = |hook: &str| {
        let own = rule.and_then(|rule| rule.strip_prefix(hook)).unwrap_or_default();
        format!("chain {hook} {{\ntype filter hook {hook} priority 0\n{own}\n}}\n")
    };
    let chains = chain("input") + &chain("output");
    let table = "table inet states";
    nft::load(&site.client, &format!("{table} {{}}\ndelete {table}\n{table} {{\n{chains}}}\n"));
}

/// Brings connections into their states. The first `cookies` servers send SYN cookies; to the others, a connection for
/// which they should is in SYN_RECV.
pub fn open(site: &Site, listeners: &Listeners, cookies: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for state in STATES {
        if state == State::Cookie {
            sysctl(&site.hosts[..cookies], "tcp_syncookies", "2");
            rules(site, Some("output tcp flags & (syn | ack) == ack drop"));
        }
        let new = SERVICES.map(|service| {
            site.client.within(|| (0..EACH).map(|number| connect(state, service, number)).collect::<Vec<_>>())
        });
        let mut new: Vec<_> = new.into_iter().flatten().collect();
        rules(site, None);
        sysctl(&site.hosts, "tcp_syncookies", "1");
        if !matches!(state, State::Cookie | State::Queued) {
            let mut accepted = 0;
            wait(
                || {
                    accepted += accept(listeners, &mut new);
                    accepted == new.len()
                },
                || format!("{state:?}: not all are accepted"),
            );
            new.iter_mut().for_each(enter);
        }
        connections.extend(new);
    }
    connections
}

/// Closes what the state has closed.
fn enter(connection: &mut Connection) {
    match connection.state {
        State::Queued | State::Cookie | State::Established => {}
        State::ClosedByClient => {
            connection.client.shutdown(std::net::Shutdown::Write).unwrap();
            let (server, _) = connection.server.as_mut().unwrap();
            assert_eq!(server.read(&mut [0]).unwrap(), 0);
        }
        State::ClosedByServer | State::FinWait2 | State::TimeWait => {
            let (server, number) = connection.server.take().unwrap();
            if connection.state == State::ClosedByServer {
                server.shutdown(std::net::Shutdown::Write).unwrap();
                connection.server = Some((server, number));
            } else {
                drop(server);
            }
            assert_eq!(connection.client.read(&mut [0]).unwrap(), 0);
            if connection.state == State::TimeWait {
                connection.client.shutdown(std::net::Shutdown::Both).unwrap();
            }
        }
    }
}

fn sysctl(hosts: &[Namespace], key: &str, value: &str) {
    for host in hosts {
        host.within(|| std::fs::write(format!("/proc/sys/net/ipv4/{key}"), value).unwrap());
    }
}

/// Both ends of idle connections say something to each other.
pub fn exchange(connections: &mut [Connection]) {
    for connection in connections.iter_mut().filter(|connection| connection.state == State::Established) {
        let Connection { client, server, at, .. } = connection;
        let (server, number) = server.as_mut().unwrap();
        let mut talk = || -> std::io::Result<()> {
            client.write_all(b"?")?;
            server.read_exact(&mut [0])?;
            server.write_all(b"!")?;
            client.read_exact(&mut [0])
        };
        talk().unwrap_or_else(|error| panic!("{at}, held by server {number}: {error}"));
    }
}

/// Every connection does what is left to do in its state.
pub fn finish(listeners: &Listeners, connections: &mut [Connection]) {
    let late = |state| matches!(state, State::Queued | State::Cookie);
    for Connection { state, client, at, .. } in connections.iter().filter(|connection| late(connection.state)) {
        (&*client).write_all(b"?").unwrap_or_else(|error| panic!("{state:?} {at}: {error}"));
    }
    let wanted = connections.iter().filter(|connection| late(connection.state)).count();
    let mut accepted = 0;
    wait(
        || {
            accepted += accept(listeners, connections);
            accepted >= wanted
        },
        || format!("not all of {wanted} late connections are accepted"),
    );
    for connection in connections.iter_mut() {
        close(connection).unwrap_or_else(|error| panic!("{:?} {}: {error}", connection.state, connection.at));
    }
}

fn close(connection: &mut Connection) -> std::io::Result<()> {
    let Connection { state, client, server, .. } = connection;
    match (state, server) {
        (State::Queued | State::Cookie, Some((server, _))) => {
            server.read_exact(&mut [0])?;
            much(server, client)
        }
        (State::Established, Some((server, _))) => {
            much(server, client)?;
            much(client, server)
        }
        (State::ClosedByClient, Some((server, _))) => much(server, client),
        (State::ClosedByServer, Some((server, _))) => much(client, server),
        (State::FinWait2, None) => {
            client.shutdown(std::net::Shutdown::Write)?;
            closes(client)
        }
        (State::TimeWait, None) => Ok(()),
        (state, server) => panic!("{state:?} with {server:?}"),
    }
}

/// Sends more than fits into buffers.
fn much(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    thread::scope(|scope| {
        let sends = scope.spawn(|| from.write_all(&vec![7; MUCH]));
        to.read_exact(&mut vec![0; MUCH])?;
        sends.join().unwrap()
    })
}

/// Waits until the kernel has seen the last acknowledgement.
fn closes(client: &TcpStream) -> std::io::Result<()> {
    /// `TCP_CLOSE`.
    const CLOSED: u8 = 7;
    let state = || {
        // SAFETY: zeros are a value.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes.
        let result = unsafe {
            let info = (&raw mut info).cast();
            libc::getsockopt(client.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, info, &raw mut length)
        };
        assert_eq!(result, 0);
        info.tcpi_state
    };
    wait(|| state() == CLOSED, || format!("state {}", state()));
    client.take_error()?.map_or(Ok(()), Err)
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
    for _ in 0..4 {
        lists = change(&mut random, &lists);
        let configuration = lists.configuration(WEB);
        let apply =
            |hosts: &[crate::support::modlb::Modlb]| hosts.iter().for_each(|host| drop(host.apply(&configuration)));
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
