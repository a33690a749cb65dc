//! An Ethernet switch with VLANs, in a namespace: not every kernel's bridge has them.
//!
//! Trap: the kernel removes a frame's outer tag before a packet socket sees it, and reports it as auxiliary data.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

use super::namespace::Namespace;

/// What a port is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// One VLAN, untagged.
    Access(u16),
    /// Every VLAN, tagged except for [`NATIVE`].
    Trunk,
}

/// The VLAN of untagged frames on a trunk.
pub const NATIVE: u16 = 1;

/// Longer than any frame of the tests.
const LARGEST: usize = 16_384;

/// The switch floods each frame to the other ports of its VLAN until it is dropped.
pub struct VlanSwitch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl VlanSwitch {
    /// Connects these interfaces of a namespace.
    pub fn new(namespace: &Namespace, ports: &[(&str, Port)]) -> Self {
        let sockets: Vec<(OwnedFd, Port)> =
            namespace.within(|| ports.iter().map(|(name, port)| (packet_socket(name).unwrap(), *port)).collect());
        let sockets = Arc::new(sockets);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..ports.len())
            .map(|port| {
                let (sockets, stop) = (Arc::clone(&sockets), Arc::clone(&stop));
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Some((frame, tag)) = receive(&sockets[port].0) {
                            forward(&sockets, port, &frame, tag);
                        }
                    }
                })
            })
            .collect();
        Self { stop, threads }
    }
}

impl Drop for VlanSwitch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn forward(sockets: &[(OwnedFd, Port)], from: usize, frame: &[u8], tag: Option<u16>) {
    let vlan = match (sockets[from].1, tag.map(|tag| tag & 0xfff)) {
        (Port::Access(vlan), None) => vlan,
        (Port::Trunk, vlan) => vlan.unwrap_or(NATIVE),
        // A host on an access port sends no tags.
        (Port::Access(_), Some(_)) => return,
    };
    for (index, (socket, port)) in sockets.iter().enumerate() {
        let sent = match port {
            _ if index == from => continue,
            Port::Access(member) if *member == vlan => send(socket, frame),
            Port::Access(_) => continue,
            Port::Trunk if vlan == NATIVE => send(socket, frame),
            Port::Trunk => send(socket, &[&frame[..12], &[0x81, 0], &vlan.to_be_bytes(), &frame[12..]].concat()),
        };
        // A host may have gone away meanwhile.
        let _ = sent;
    }
}

fn packet_socket(interface: &str) -> io::Result<OwnedFd> {
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(i32::from(protocol).into()))?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    // SAFETY: zeroes are valid for all fields, which are numbers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = if_nametoindex(interface)? as i32;
    // SAFETY: the address is of the size that is given.
    let bound = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), mem::size_of::<libc::sockaddr_ll>() as u32)
    };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    let socket = OwnedFd::from(socket);
    set(&socket, libc::PACKET_AUXDATA)?;
    set(&socket, libc::PACKET_IGNORE_OUTGOING)?;
    let membership = libc::packet_mreq {
        mr_ifindex: address.sll_ifindex,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    Ok(socket)
}

fn set(socket: &OwnedFd, option: i32) -> io::Result<()> {
    set_option(socket, option, &1_i32)
}

fn set_option<T>(socket: &OwnedFd, option: i32, value: &T) -> io::Result<()> {
    let size = mem::size_of::<T>() as u32;
    // SAFETY: the value is of the size that is given.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, ptr::from_ref(value).cast(), size) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<()> {
    // SAFETY: the frame has the length that is given.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A frame and the 16 bits of the tag that it came with; `None` if the socket's read timed out.
fn receive(socket: &OwnedFd) -> Option<(Vec<u8>, Option<u16>)> {
    let mut frame = vec![0; LARGEST];
    let mut control = [0_u64; 16];
    let mut vector = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
    // SAFETY: zeroes are valid for all fields, which are numbers and pointers.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut vector, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), mem::size_of_val(&control));
    // SAFETY: the message's pointers are valid for the lengths that it gives.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    frame.truncate(usize::try_from(length).ok()?);
    // SAFETY: the kernel filled the message; the pointer is null if there is no control data.
    let part = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: as before.
    let header = unsafe { part.as_ref() }?;
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    // SAFETY: control data of this level and type is a `tpacket_auxdata`.
    let auxiliary: libc::tpacket_auxdata =
        unsafe { libc::CMSG_DATA(part).cast::<libc::tpacket_auxdata>().read_unaligned() };
    let tagged = auxiliary.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
    Some((frame, tagged.then_some(auxiliary.tp_vlan_tci)))
}
