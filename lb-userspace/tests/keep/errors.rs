//! ICMP errors find the server whose packet caused them.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    WEB,
    listeners::{Listeners, Pair, next_sequence},
    need_root,
    site::{Entry, Lists, Site},
    support::{
        frame::{self, TCP},
        wait::wait,
    },
};

/// What the error says about the way to the client.
const MTU: u16 = 1_300;

/// "Fragmentation needed" (RFC 792, RFC 1191) or "packet too big" (RFC 4443) about a segment from the service.
fn too_big(service: IpAddr, client: SocketAddr, sequence: u32) -> Vec<u8> {
    let mut quoted = [&80_u16.to_be_bytes()[..], &client.port().to_be_bytes(), &sequence.to_be_bytes()].concat();
    quoted.extend([0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    let packet = frame::ip(service, client.ip(), TCP, &quoted);
    let (kind, code) = if service.is_ipv4() { (3, 4) } else { (2, 0) };
    let mut message = [&[kind, code, 0, 0, 0, 0][..], &MTU.to_be_bytes(), &packet].concat();
    if service.is_ipv4() {
        let words =
            message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
        let sum: u32 = words.sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        message[2..4].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    }
    message
}

#[test]
fn path_mtu_discovery_reaches_the_server_that_holds_the_connection() {
    need_root!();
    let site = Site::bare(1, 4);
    let listeners = Listeners::new(&site);
    let lists = Lists::of(0..3);
    site.attach(&lists.configuration(WEB), Some(""));
    let connections = Pair::open_all(&site, &listeners);
    let lists = lists.then((0..4).map(Entry::up).collect());
    for host in site.keepers.iter().chain(&site.balancers) {
        host.apply(&lists.configuration(WEB));
    }
    let before = site.outcome("handed_on");
    for Pair { service, mut client, at, mut server, number } in connections {
        server.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
        let protocol = if service.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
        let open = || Socket::new(Domain::for_address(at), Type::RAW, Some(protocol)).unwrap();
        let socket = site.client.within(open);
        socket.bind(&SocketAddr::new(at.ip(), 0).into()).unwrap();
        let sent = too_big(service, at, next_sequence(&server));
        socket.send_to(&sent, &SocketAddr::new(service, 0).into()).unwrap();
        let host = &site.hosts[number];
        let command = format!("route get {} from {service}", at.ip());
        let route = || host.run("ip", &command);
        let wanted = format!("mtu {MTU}");
        wait(|| route().contains(&wanted), || format!("server {number}: {}", route()));
    }
    assert!(site.outcome("handed_on") > before, "nothing was handed on");
}
