//! A connection is found however its server listens, and while it does not.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
};

use crate::{
    WEB,
    listeners::{Bound, Listeners, Pair, QUESTION, connect},
    need_root,
    site::{Lists, Site},
    support::network::SERVICES,
};

/// How each server listens.
const SERVERS: [Bound; 6] = [Bound::Services, Bound::Any, Bound::Both, Bound::Shared, Bound::Any, Bound::Shared];

/// The first server that comes later, which has sent no SYN cookie to anyone.
const LATER: u8 = 4;

fn listen(site: &Site) -> Listeners {
    Listeners::bound(site, |number| SERVERS[number])
}

/// Connections in which both ends have said something, so that nothing acknowledges a SYN cookie any more.
fn open(site: &Site, listeners: &Listeners) -> Vec<Pair> {
    let mut pairs = Pair::open_all(site, listeners);
    pairs.iter_mut().for_each(Pair::talk);
    pairs
}

/// Puts lists in force, servers first.
fn apply(site: &Site, lists: &Lists) {
    let configuration = lists.configuration(WEB);
    site.keepers.iter().chain(&site.balancers).for_each(|host| drop(host.apply(&configuration)));
}

/// Connections by SYN cookie, of which no server knows yet.
fn cookies(site: &Site) -> HashMap<SocketAddr, (IpAddr, TcpStream)> {
    site.drop_acks();
    let clients =
        SERVICES.into_iter().flat_map(|service| Site::clients(service).into_iter().map(move |it| (service, it)));
    let open = |(service, client)| {
        let stream = connect(site, service, SocketAddr::new(client, 0));
        (stream.local_addr().unwrap(), (service, stream))
    };
    let cookies = clients.map(open).collect();
    site.drop_at_client(None);
    cookies
}

/// Lets them begin; servers accept all.
fn begin(listeners: &Listeners, mut cookies: HashMap<SocketAddr, (IpAddr, TcpStream)>) -> Vec<Pair> {
    cookies.values_mut().for_each(|(_, client)| client.write_all(&QUESTION).unwrap());
    let mut pairs = Vec::new();
    while !cookies.is_empty() {
        let (mut server, at, number) = listeners.next();
        server.read_exact(&mut [0; QUESTION.len()]).unwrap();
        let (service, client) = cookies.remove(&at).unwrap();
        pairs.push(Pair { service, client, at, server, number });
    }
    pairs
}

#[test]
fn connections_are_found_however_servers_listen() {
    need_root!();
    let site = Site::bare(1, SERVERS.len() as u8);
    let listeners = listen(&site);
    let first = Lists::of(0..LATER);
    site.attach(&first.configuration(WEB), Some(""));
    let mut pairs = open(&site, &listeners);
    site.sysctl(.., "tcp_syncookies", "2");
    pairs.extend(open(&site, &listeners));
    let begun = cookies(&site);

    // Every packet comes to servers that have none of the connections.
    let second = first.then_of([LATER, LATER + 1], &[]);
    apply(&site, &second);
    pairs.extend(begin(&listeners, begun));
    assert!(pairs.iter().all(|pair| pair.number < usize::from(LATER)), "a server took another one's SYN cookie");
    pairs.iter_mut().for_each(Pair::talk);
    pairs.extend(open(&site, &listeners));
    let begun = cookies(&site);
    assert!((0..SERVERS.len()).all(|server| pairs.iter().any(|pair| pair.number == server)), "one holds nothing");

    let third = second.then_of([2, 3, 0, 1], &[]);
    apply(&site, &third);
    pairs.extend(begin(&listeners, begun));
    pairs.iter_mut().for_each(Pair::talk);

    // As when a server's software is reloaded: the old process only serves the connections that it has.
    drop(listeners);
    let fourth = third.then_of([LATER, 3, 2, 1, 0], &[]);
    apply(&site, &fourth);
    pairs.iter_mut().for_each(Pair::talk);
    let listeners = listen(&site);
    pairs.extend(open(&site, &listeners));
    pairs.iter_mut().for_each(Pair::talk);
    assert!(site.outcome("handed_on") > pairs.len() as u64, "hardly anything was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
}
