//! New connections while a change reaches one host after the other. Where servers know the list to come beforehand,
//! none is refused, in whatever order hosts learn of it.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpStream},
};

use socket2::{Domain, Socket, Type};

use crate::{
    need_root,
    site::{Lists, Site},
    support::{network::SERVICES, wait::PATIENCE},
};

/// With as many flows as there are connections.
const WEB: &str = "protocol = \"tcp\"\nport = 80\nformula = \"5-tuple\"";

/// New connections of each of the client's addresses in each state of affairs.
const EACH: usize = 8;

/// Connects, and waits for the server's first byte.
fn visit(client: IpAddr, service: IpAddr) -> std::io::Result<()> {
    let service = SocketAddr::new(service, 80);
    let socket = Socket::new(Domain::for_address(service), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect_timeout(&service.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_exact(&mut [0])
}

/// How many of new connections fail.
fn refused(site: &Site) -> usize {
    let clients = SERVICES.into_iter().flat_map(|it| Site::clients(it).into_iter().map(move |client| (client, it)));
    let visits = clients.flat_map(|both| std::iter::repeat_n(both, EACH));
    site.client.within(|| visits.filter(|(client, service)| visit(*client, *service).is_err()).count())
}

/// Puts lists in force on one host after the other, the balancer in the middle, and counts connections that fail.
fn roll_out(site: &Site, lists: &Lists) -> usize {
    let configuration = lists.configuration(WEB);
    let (some, others) = site.keepers.split_at(site.keepers.len() / 2);
    let hosts = some.iter().chain(&site.balancers).chain(others);
    hosts.map(|host| (host.apply(&configuration), refused(site)).1).sum()
}

/// What `modlb transition --announce` makes of two lists.
fn announced(now: &Lists, next: &Lists) -> Lists {
    let previous = [vec![next.servers.clone()], now.previous.clone()].concat();
    Lists { servers: now.servers.clone(), previous }
}

#[test]
fn new_connections_while_a_change_goes_round() {
    need_root!();
    let site = Site::new(1, 5);
    let first = Lists::of(0..3);
    site.attach(&first.configuration(WEB), Some(""));
    let second = first.then_of(0..5, &[]);
    let third = second.then_of([4, 1, 3], &[]);
    let suddenly = roll_out(&site, &second);
    assert_eq!(roll_out(&site, &announced(&second, &third)), 0, "while the list is announced");
    assert_eq!(roll_out(&site, &third), 0, "when all know it");
    assert!(suddenly > 0, "without an announcement none was refused: this test shows nothing");
    println!("{suddenly} refused without an announcement");
}
