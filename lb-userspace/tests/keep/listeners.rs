//! Listeners whose connections the test itself accepts, so that nothing happens by chance.

use std::{
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
};

use socket2::{Domain, Socket, Type};

use crate::{
    site::Site,
    support::{
        network::SERVICES,
        wait::{PATIENCE, wait},
    },
};

/// The listeners of all servers, by service.
pub struct Listeners(Vec<[TcpListener; 2]>);

impl Listeners {
    pub fn new(site: &Site) -> Self {
        let listen = |service: IpAddr| {
            let socket = Socket::new(Domain::for_address(SocketAddr::new(service, 80)), Type::STREAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&SocketAddr::new(service, 80).into()).unwrap();
            socket.listen(1_024).unwrap();
            socket.set_nonblocking(true).unwrap();
            TcpListener::from(socket)
        };
        Self(site.hosts.iter().map(|host| host.within(|| SERVICES.map(listen))).collect())
    }

    /// Accepts a connection that waits: the server's end, the client's address, the server's number.
    pub fn accept(&self) -> Option<(TcpStream, SocketAddr, usize)> {
        let mut all = self.0.iter().enumerate().flat_map(|(number, both)| both.iter().map(move |it| (it, number)));
        all.find_map(|(listener, number)| {
            let (stream, from) = listener.accept().ok()?;
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            Some((stream, from, number))
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
