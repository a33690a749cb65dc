//! Looks at every frame that a host puts on the wire.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    model::Model,
    traffic::within,
    violations::Violations,
    world::{UDP_PORT, World},
};

/// Datagrams that are this much older are forgotten.
const REMEMBERED: u64 = 20_000;

/// The watching thread; dropping this ends it.
pub struct Wire {
    forwarded: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Wire {
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// A datagram of a service on the wire.
struct Datagram {
    destination: [u8; 6],
    number: u64,
}

/// Watches all ports of the switch.
pub fn watch(world: &World, model: &Arc<Mutex<Model>>, violations: &Violations) -> Wire {
    let wire = Wire { forwarded: Arc::default(), stop: Arc::default() };
    let ports: HashMap<i32, String> = world.switch.within(|| {
        let listed = nix::net::if_::if_nameindex().unwrap();
        listed.iter().map(|port| (port.index() as i32, port.name().to_string_lossy().into_owned())).collect()
    });
    let (model, violations) = (Arc::clone(model), violations.clone());
    let (forwarded, stop) = (Arc::clone(&wire.forwarded), Arc::clone(&wire.stop));
    within(world.switch.path(), move || {
        let socket = open().unwrap();
        let mut seen: HashMap<u64, u8> = HashMap::new();
        while !stop.load(Ordering::Relaxed) {
            let Some((port, datagram)) = next(&socket) else { continue };
            let Some(name) = ports.get(&port) else { continue };
            let Datagram { destination, number } = datagram;
            // The client sends each once; everything else was forwarded.
            if name.starts_with("v2-") {
                continue;
            }
            forwarded.fetch_add(1, Ordering::SeqCst);
            let times = seen.entry(number).or_default();
            *times += 1;
            let balancer = usize::from(name.starts_with("v12-"));
            let excused = *times == 2 && model.lock().unwrap().may_not_know_the_other(balancer);
            if *times > 1 && !excused {
                violations.add(format!("datagram {number} was forwarded {times} times, now by {name}"));
            }
            if !model.lock().unwrap().is_servers(destination, balancer) {
                violations.add(format!("datagram {number} was sent by {name} to {destination:02x?}, no server's MAC"));
            }
            if seen.len() as u64 > 2 * REMEMBERED {
                seen.retain(|old, _| *old + REMEMBERED > number);
            }
        }
    });
    wire
}

/// A socket that receives what all interfaces of the current namespace do.
fn open() -> io::Result<OwnedFd> {
    let all = i32::from((libc::ETH_P_ALL as u16).to_be());
    // SAFETY: takes numbers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, all) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for this process.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let timeout = libc::timeval { tv_sec: 0, tv_usec: 100_000 };
    let size: libc::c_int = 16 << 20;
    for (name, value, length) in [
        (libc::SO_RCVTIMEO, (&raw const timeout).cast(), size_of_val(&timeout)),
        (libc::SO_RCVBUFFORCE, (&raw const size).cast(), size_of_val(&size)),
    ] {
        // SAFETY: the kernel reads `length` bytes of a value that outlives the call.
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, value, length as libc::socklen_t) };
    }
    Ok(socket)
}

/// The next frame that came in by a port, if it is a service's datagram.
fn next(socket: &OwnedFd) -> Option<(i32, Datagram)> {
    let mut frame = [0_u8; 2_048];
    // SAFETY: a `sockaddr_ll` of zeros is valid.
    let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&from) as libc::socklen_t;
    // SAFETY: both buffers have the given lengths and outlive the call.
    let received = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            frame.as_mut_ptr().cast(),
            frame.len(),
            0,
            (&raw mut from).cast(),
            &raw mut length,
        )
    };
    let frame = frame.get(..usize::try_from(received).ok()?)?;
    if from.sll_pkttype == libc::PACKET_OUTGOING {
        return None;
    }
    // IPv4 without options, UDP, the services' port, and the number.
    let is_ours = frame.get(12..15)? == [8, 0, 0x45]
        && *frame.get(23)? == libc::IPPROTO_UDP as u8
        && frame.get(36..38)? == UDP_PORT.to_be_bytes();
    let number = u64::from_be_bytes(frame.get(42..50)?.try_into().ok()?);
    is_ours.then(|| (from.sll_ifindex, Datagram { destination: frame[..6].try_into().unwrap(), number }))
}
