//! Listeners whose connections the test itself accepts, so that nothing happens by chance.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
};

use socket2::{Domain, Socket, Type};

use crate::{
    site::Site,
    support::{
        namespace::Namespace,
        network::SERVICES,
        wait::{PATIENCE, wait},
    },
};

/// How a server listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// At the services' addresses alone.
    Services,
    /// At any address of either family.
    Any,
    /// With one socket for both families.
    Both,
    /// With several sockets at the services' addresses, as processes do that share a port.
    Shared,
}

/// How many sockets share a port.
const SHARES: usize = 4;

/// The listeners of all servers, with the servers' numbers.
pub struct Listeners(Vec<(TcpListener, usize)>);

impl Bound {
    /// The addresses to listen at.
    fn addresses(self) -> Vec<IpAddr> {
        let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
        match self {
            Self::Services => SERVICES.into(),
            Self::Any => any.into(),
            Self::Both => any[1..].into(),
            Self::Shared => SERVICES.repeat(SHARES),
        }
    }

    fn listen(self, address: IpAddr) -> TcpListener {
        let socket = Socket::new(Domain::for_address(SocketAddr::new(address, 80)), Type::STREAM, None).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(self != Self::Both).unwrap();
        }
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(self == Self::Shared).unwrap();
        socket.bind(&SocketAddr::new(address, 80).into()).unwrap();
        socket.listen(1_024).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.into()
    }
}

impl Listeners {
    pub fn new(site: &Site) -> Self {
        Self::bound(site, |_| Bound::Services)
    }

    /// Those of servers that listen in different ways.
    pub fn bound(site: &Site, bound: impl Fn(usize) -> Bound) -> Self {
        let of = |(number, host): (usize, &Namespace)| {
            let bound = bound(number);
            let listeners =
                host.within(|| bound.addresses().into_iter().map(|it| bound.listen(it)).collect::<Vec<_>>());
            listeners.into_iter().map(move |listener| (listener, number))
        };
        Self(site.hosts.iter().enumerate().flat_map(of).collect())
    }

    /// Accepts a connection that waits: the server's end, the client's address, the server's number.
    pub fn accept(&self) -> Option<(TcpStream, SocketAddr, usize)> {
        self.0.iter().find_map(|(listener, number)| {
            let (stream, from) = listener.accept().ok()?;
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            Some((stream, SocketAddr::new(from.ip().to_canonical(), from.port()), *number))
        })
    }

    /// Waits for a connection.
    pub fn next(&self) -> (TcpStream, SocketAddr, usize) {
        let mut found = None;
        wait(
            || {
                found = self.accept();
                found.is_some()
            },
            || "no connection comes".to_owned(),
        );
        found.unwrap()
    }
}

/// A connection, of which the test has both ends.
pub struct Pair {
    pub service: IpAddr,
    pub client: TcpStream,
    /// The client's address.
    pub at: SocketAddr,
    pub server: TcpStream,
    /// The server's number.
    pub number: usize,
}

impl Pair {
    /// Opens one from this address of the client; port 0: the kernel's choice. A server accepts it.
    pub fn open(site: &Site, listeners: &Listeners, service: IpAddr, from: SocketAddr) -> Self {
        let client = connect(site, service, from);
        let at = client.local_addr().unwrap();
        let (server, peer, number) = listeners.next();
        assert_eq!(peer, at);
        Self { service, client, at, server, number }
    }

    /// One in each family from each of the client's addresses, at ports that the kernel chooses.
    pub fn open_all(site: &Site, listeners: &Listeners) -> Vec<Self> {
        let open = |service| move |client| Self::open(site, listeners, service, SocketAddr::new(client, 0));
        SERVICES.into_iter().flat_map(|service| Site::clients(service).into_iter().map(open(service))).collect()
    }

    /// Both ends say something to each other.
    pub fn talk(&mut self) {
        let Self { client, server, at, number, .. } = self;
        talk(client, server).unwrap_or_else(|error| panic!("{at}, held by server {number}: {error}"));
    }

    /// Both ends close it, the client first: what is left of it is with the client.
    pub fn close(mut self) {
        self.client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(self.server.read(&mut [0]).unwrap(), 0);
        drop(self.server);
        let end = self.client.read(&mut [0]);
        assert!(matches!(end, Ok(0)), "{}, held by server {}: {end:?}", self.at, self.number);
    }
}

/// Connects from this address of the client.
pub fn connect(site: &Site, service: IpAddr, from: SocketAddr) -> TcpStream {
    let to = SocketAddr::new(service, 80);
    let socket = site.client.within(|| Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap());
    socket.bind(&from.into()).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap_or_else(|error| panic!("{from} → {service}: {error}"));
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What a client says.
///
/// Trap: while both ends have said about equally much, an ACK still acknowledges the SYN cookie. Servers in one kernel
/// share its secret, so that one of them would take another one's connection for its own.
pub const QUESTION: [u8; 16] = *b"is anyone there?";

/// Both ends of a connection say something to each other.
pub fn talk(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    client.write_all(&QUESTION)?;
    server.read_exact(&mut [0; QUESTION.len()])?;
    server.write_all(b"!")?;
    client.read_exact(&mut [0])
}

/// What the kernel says of a connection.
pub fn info(stream: &TcpStream) -> libc::tcp_info {
    // SAFETY: zeros are a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        let info = (&raw mut info).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, info, &raw mut length)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    info
}

/// The sequence number of what a socket sends next.
pub fn next_sequence(stream: &TcpStream) -> u32 {
    const REPAIR: libc::c_int = 19;
    const QUEUE: libc::c_int = 20;
    const SEQUENCE: libc::c_int = 21;
    const SEND_QUEUE: libc::c_int = 2;
    // Without a window probe.
    const OFF: libc::c_int = -1;
    let set = |option, value: libc::c_int| {
        // SAFETY: the kernel reads a number.
        let result = unsafe {
            let value = (&raw const value).cast();
            libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, option, value, size_of::<libc::c_int>() as u32)
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    };
    set(REPAIR, 1);
    set(QUEUE, SEND_QUEUE);
    let (mut sequence, mut length) = (0_u32, size_of::<u32>() as libc::socklen_t);
    // SAFETY: the kernel writes a number.
    let result = unsafe {
        let sequence = (&raw mut sequence).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, SEQUENCE, sequence, &raw mut length)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    set(REPAIR, OFF);
    sequence
}
