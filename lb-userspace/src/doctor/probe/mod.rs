//! Asks the link who has an address, by its own ARP requests and neighbour solicitations, and collects all answers. The
//! kernel would ask only for addresses that it does not know, and would believe the first answer.
//!
//! A question without a source is a probe for duplicates (RFC 5227, 2.1.1; RFC 4862, 5.4.2): the owner of the address
//! answers it, and it changes no host's tables.

use std::{
    io,
    mem::MaybeUninit,
    net::IpAddr,
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use etherparse::{EtherType, IpNumber};
use lb_common::mac::Mac;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};

mod frames;

pub use self::frames::Question;
use self::frames::{ICMP_OFFSET, NEXT_HEADER_OFFSET, answer, frame};

/// The link of one interface.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    mac: Mac,
    answers: Vec<(IpAddr, Mac)>,
}

impl Link {
    /// Opens the link of an interface; answers are collected from now on.
    ///
    /// # Errors
    ///
    /// It is down, or this process lacks CAP_NET_RAW.
    pub fn open(interface: u32, mac: Mac) -> io::Result<Self> {
        // With protocol 0 it receives nothing until the filter is set.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter())?;
        socket.bind(&link_address(interface)?)?;
        Ok(Self { socket, mac, answers: Vec::new() })
    }

    /// Sends a question.
    pub fn ask(&self, question: &Question) -> io::Result<()> {
        self.socket.send(&frame(self.mac, question)?).map(drop)
    }

    fn receive(&mut self) {
        loop {
            let mut frame = [MaybeUninit::uninit(); 256];
            let Ok(length) = self.socket.recv(&mut frame) else { return };
            // SAFETY: the kernel has written this many bytes.
            let frame = unsafe { frame[..length].assume_init_ref() };
            let answer = answer(frame);
            if let Some(answer) = answer.filter(|(_, mac)| *mac != self.mac)
                && !self.answers.contains(&answer)
            {
                self.answers.push(answer);
            }
        }
    }

    /// The answers of other hosts: addresses and MACs.
    pub fn answers(&self) -> &[(IpAddr, Mac)] {
        &self.answers
    }
}

/// Listens on all links for this long.
pub fn listen(links: &mut [Link], time: Duration) -> io::Result<()> {
    let end = Instant::now() + time;
    loop {
        links.iter_mut().for_each(Link::receive);
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let mut wait: Vec<_> = links.iter().map(|link| PollFd::new(link.socket.as_fd(), PollFlags::POLLIN)).collect();
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut wait, left) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// All frames of an interface.
fn link_address(interface: u32) -> io::Result<SockAddr> {
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: interface as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: it is a whole `sockaddr_ll`.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<libc::sockaddr_ll>().write(address);
            *length = size_of::<libc::sockaddr_ll>() as u32;
            Ok(())
        })
    }?;
    Ok(address)
}

/// Lets only ARP and advertisements through: a gateway has many other packets.
fn filter() -> [SockFilter; 9] {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| SockFilter::new(code, jt, jf, k);
    [
        step(LOAD_HALF, 12, 0, 0),
        step(IF_EQUAL, EtherType::ARP.0.into(), 5, 0),
        step(IF_EQUAL, EtherType::IPV6.0.into(), 0, 5),
        step(LOAD_BYTE, NEXT_HEADER_OFFSET, 0, 0),
        step(IF_EQUAL, IpNumber::IPV6_ICMP.0.into(), 0, 3),
        step(LOAD_BYTE, ICMP_OFFSET, 0, 0),
        step(IF_EQUAL, etherparse::icmpv6::TYPE_NEIGHBOR_ADVERTISEMENT.into(), 0, 1),
        step(RETURN, 256, 0, 0),
        step(RETURN, 0, 0, 0),
    ]
}
