//! Connections to listeners that never accept, so that they are in the kernel's table of sockets without an open file.
//!
//! The clients' ends go away in TCP's repair mode, which says nothing to the other end.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt},
};

use crate::{
    frame::{CLIENT, Family, SERVICE, Shape},
    interrupt,
    namespace::Namespace,
    progress::Progress,
};

/// The service's port.
const PORT: u16 = 443;

/// Clients, each of whom has one connection from each port.
const CLIENTS: u32 = 65_536;

/// The most connections that may wait for a listener.
const BACKLOG: i32 = 1 << 20;

/// Listeners of the first service of both families, and the connections that were made to them.
pub struct Connections {
    listeners: Vec<(Family, OwnedFd)>,
    each: u32,
}

impl Connections {
    /// Listens in this namespace, which gets the services' and the clients' addresses.
    pub fn new(namespace: &Namespace) -> Result<Self> {
        namespace.set("net/core/somaxconn", &BACKLOG.to_string())?;
        namespace.set("net/ipv6/ip_nonlocal_bind", "1")?;
        namespace.ip(&format!("address add {}/32 dev lo", SERVICE.0))?;
        namespace.ip(&format!("address add {}/128 dev lo nodad", SERVICE.1))?;
        namespace.ip(&format!("route add local {}/16 dev lo", CLIENT.0))?;
        namespace.ip(&format!("-6 route add local {}/112 dev lo", CLIENT.1))?;
        let listeners = namespace
            .within(|| [Family::V4, Family::V6].into_iter().map(|family| Ok((family, listener(family)?))).collect())?;
        Ok(Self { listeners, each: 0 })
    }

    /// How many sockets there are, without the listeners.
    pub const fn sockets(&self) -> usize {
        self.each as usize * self.listeners.len()
    }

    /// Makes connections, the same number of both families, until there are this many. The first is that of client 0
    /// and the usual port.
    pub fn grow(&mut self, namespace: &Namespace, sockets: usize, progress: &mut Progress) -> Result<()> {
        namespace.within(|| {
            while self.sockets() < sockets {
                if self.each.is_multiple_of(1_000) {
                    interrupt::check()?;
                    progress.done(self.sockets(), sockets);
                }
                for (family, _) in &self.listeners {
                    let client = client(*family, self.each);
                    connect_and_vanish(*family, client).with_context(|| format!("connecting from {client}"))?;
                }
                self.each += 1;
            }
            Ok(())
        })
    }
}

fn service(family: Family) -> SocketAddr {
    let address = match family {
        Family::V4 => IpAddr::V4(SERVICE.0),
        Family::V6 => IpAddr::V6(SERVICE.1),
    };
    SocketAddr::new(address, PORT)
}

/// The address and port of a connection's client.
fn client(family: Family, number: u32) -> SocketAddr {
    let (place, port) = (number % CLIENTS, Shape::CLIENT_PORT + (number / CLIENTS) as u16);
    let address = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::from(CLIENT.0) + place)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(u128::from(CLIENT.1) + u128::from(place))),
    };
    SocketAddr::new(address, port)
}

fn new_socket(family: Family) -> Result<OwnedFd> {
    let family = match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    let made = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&made, sockopt::ReuseAddr, &true)?;
    Ok(made)
}

fn listener(family: Family) -> Result<OwnedFd> {
    let listener = new_socket(family)?;
    bind(listener.as_raw_fd(), &SockaddrStorage::from(service(family)))?;
    // nix knows no limit but that of old kernels.
    // SAFETY: takes numbers.
    Errno::result(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    Ok(listener)
}

/// Leaves the server's end of a new connection.
fn connect_and_vanish(family: Family, client: SocketAddr) -> Result<()> {
    let socket = new_socket(family)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(client))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(service(family)))?;
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the kernel reads one number, which outlives the call.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_REPAIR, (&raw const on).cast(), length)
    };
    Errno::result(set).context("entering repair mode")?;
    Ok(())
}
