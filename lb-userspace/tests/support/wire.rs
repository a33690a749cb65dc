//! Frames on an interface, sent and received as they are.

use std::{
    io::{Read as _, Write as _},
    mem,
    os::fd::AsRawFd as _,
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

use super::namespace::Namespace;

/// Longer than any frame of the tests.
const LARGEST: usize = 16_384;

/// Room for what arrives while a test is busy with something else.
const ROOM: usize = 32 << 20;

/// An interface of a namespace. What is sent here arrives at its peer.
#[derive(Debug)]
pub struct Wire(Socket);

impl Wire {
    /// Opens an interface.
    pub fn new(namespace: &Namespace, interface: &str) -> Self {
        namespace.within(|| Self::open(interface))
    }

    fn open(interface: &str) -> Self {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(i32::from(protocol).into())).unwrap();
        socket.set_recv_buffer_size(ROOM).unwrap();
        // SAFETY: zeroes are valid for all fields, which are numbers.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = if_nametoindex(interface).unwrap() as i32;
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: the address is of the size that is given.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        assert_eq!(bound, 0, "{interface}: {}", std::io::Error::last_os_error());
        let incoming = 1_i32;
        // SAFETY: the value is of the size that is given.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_IGNORE_OUTGOING,
                (&raw const incoming).cast(),
                size_of::<i32>() as u32,
            )
        };
        assert_eq!(set, 0, "{interface}: {}", std::io::Error::last_os_error());
        Self(socket)
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        (&self.0).write_all(frame).unwrap();
    }

    /// The next frame; `None`: none comes within this time.
    pub fn receive(&self, within: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(within)).unwrap();
        let mut frame = vec![0; LARGEST];
        let length = (&self.0).read(&mut frame).ok()?;
        frame.truncate(length);
        Some(frame)
    }
}
