//! Asks the link who has an address, by its own ARP requests and neighbour solicitations, and collects all answers. The
//! kernel would ask only for addresses that it does not know, and would believe the first answer.
//!
//! A question without a source is a probe for duplicates (RFC 5227, 2.1.1; RFC 4862, 5.4.2): the owner of the address
//! answers it, and it changes no host's tables.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use lb_common::mac::Mac;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

#[cfg(test)]
mod tests;

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Offsets: ARP follows the Ethernet header, neighbour discovery those of Ethernet and IPv6.
const ETHERNET: usize = 14;
const ICMP: usize = ETHERNET + 40;

/// One question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// The address to look for.
    pub target: IpAddr,
    /// Our own address; `None`: a probe for duplicates.
    pub source: Option<IpAddr>,
}

/// The link of one interface.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
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
        // SAFETY: only numbers are passed.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it for this process.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let filter = filter();
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: zeros are a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface as i32;
        // SAFETY: both values outlive the calls and have the given lengths.
        let results = unsafe {
            [
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_ATTACH_FILTER,
                    (&raw const program).cast(),
                    size_of::<libc::sock_fprog>() as u32,
                ),
                libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32),
            ]
        };
        if results.iter().any(|result| *result < 0) {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { socket, mac, answers: Vec::new() })
    }

    /// Sends a question.
    pub fn ask(&self, question: &Question) -> io::Result<()> {
        let frame = frame(self.mac, question);
        // SAFETY: the frame has the given length.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn receive(&mut self) {
        loop {
            let mut frame = [0_u8; 256];
            // SAFETY: the buffer has the given length.
            let length = unsafe { libc::recv(self.socket.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
            let Ok(length) = usize::try_from(length) else { return };
            let answer = answer(&frame[..length.min(frame.len())]);
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
        let mut wait: Vec<_> =
            links.iter().map(|link| PollFd::new(std::os::fd::AsFd::as_fd(&link.socket), PollFlags::POLLIN)).collect();
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut wait, left) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Lets only ARP and advertisements through: a gateway has many other packets.
fn filter() -> [libc::sock_filter; 9] {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const NEXT_HEADER: u32 = ETHERNET as u32 + 6;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    [
        step(LOAD_HALF, 12, 0, 0),
        step(IF_EQUAL, ETH_P_ARP.into(), 5, 0),
        step(IF_EQUAL, ETH_P_IPV6.into(), 0, 5),
        step(LOAD_BYTE, NEXT_HEADER, 0, 0),
        step(IF_EQUAL, ICMPV6.into(), 0, 3),
        step(LOAD_BYTE, ICMP as u32, 0, 0),
        step(IF_EQUAL, ADVERTISEMENT.into(), 0, 1),
        step(RETURN, 256, 0, 0),
        step(RETURN, 0, 0, 0),
    ]
}

fn frame(mac: Mac, question: &Question) -> Vec<u8> {
    match (question.target, question.source) {
        (IpAddr::V4(target), source) => {
            let source = if let Some(IpAddr::V4(source)) = source { source } else { Ipv4Addr::UNSPECIFIED };
            request(mac, source, target)
        }
        (IpAddr::V6(target), source) => solicitation(mac, source.and_then(v6), target),
    }
}

const fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

/// RFC 826.
fn request(mac: Mac, source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(mac.0);
    frame.extend(ETH_P_ARP.to_be_bytes());
    // Ethernet, IPv4, their lengths, a request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac.0);
    frame.extend(source.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// RFC 4861, 4.3.
fn solicitation(mac: Mac, source: Option<Ipv6Addr>, target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    // A host without an address must not include its MAC.
    if source.is_some() {
        message.extend([1, 1]);
        message.extend(mac.0);
    }
    let source = source.unwrap_or(Ipv6Addr::UNSPECIFIED);
    let sum = checksum(source, group, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0xff, a, b, c];
    frame.extend(mac.0);
    frame.extend(ETH_P_IPV6.to_be_bytes());
    frame.extend([0x60, 0, 0, 0]);
    frame.extend((message.len() as u16).to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(source.octets());
    frame.extend(group.octets());
    frame.extend(message);
    frame
}

/// RFC 4443, 2.3: the sum over a pseudo header and the message, whose length is even.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = message.len() as u32 + u32::from(ICMPV6);
    let words =
        |bytes: &[u8]| -> u32 { bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum() };
    let mut sum = length + words(&source.octets()) + words(&destination.octets()) + words(message);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The address and MAC that an ARP reply or an advertisement contains.
fn answer(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let part = |start: usize, length: usize| frame.get(start..start + length);
    let mac = |start| Some(Mac(part(start, 6)?.try_into().ok()?));
    match u16::from_be_bytes(part(12, 2)?.try_into().ok()?) {
        ETH_P_ARP if part(ETHERNET, 8)? == [0, 1, 8, 0, 6, 4, 0, 2] => {
            let address: [u8; 4] = part(ETHERNET + 14, 4)?.try_into().ok()?;
            Some((address.into(), mac(ETHERNET + 8)?))
        }
        ETH_P_IPV6 if *frame.get(ICMP)? == ADVERTISEMENT => {
            let address: [u8; 16] = part(ICMP + 8, 16)?.try_into().ok()?;
            // The option with the MAC may be missing.
            let option = part(ICMP + 24, 2).filter(|option| *option == [2, 1]).and_then(|_| mac(ICMP + 26));
            Some((address.into(), option.or_else(|| mac(6))?))
        }
        _ => None,
    }
}
