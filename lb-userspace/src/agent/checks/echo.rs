//! An echo request by ICMP or ICMPv6.
//!
//! Trap: unprivileged ping sockets are refused, even to root, unless `net.ipv4.ping_group_range` allows them; hence a
//! raw socket, for which the agent has CAP_NET_RAW. It also receives echo replies from the same address to other
//! attempts and other programs.
//!
//! Each attempt has a connected socket of its own: the kernel gives it messages from its server alone, and reports ICMP
//! errors about its request to it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicU16, Ordering},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, send, socket,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::fault::{Fault, of_arrival, of_bind, of_call, of_io};
use crate::config::model::Failure;

/// The length of an ICMP or ICMPv6 echo message's header.
const HEADER: usize = 8;

/// The sequence number of the next attempt, by which replies are told apart.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// Sends an echo request, and waits for the reply.
pub(super) async fn check(source: Option<IpAddr>, address: IpAddr, deadline: Instant) -> Result<(), Fault> {
    let (request, reply) = if address.is_ipv4() { (8, 0) } else { (128, 129) };
    let socket = raw(source, address)?;
    let (identifier, sequence) = (std::process::id() as u16, NEXT.fetch_add(1, Ordering::Relaxed));
    let mut message = [0; HEADER];
    message[0] = request;
    message[4..6].copy_from_slice(&identifier.to_be_bytes());
    message[6..8].copy_from_slice(&sequence.to_be_bytes());
    // The kernel computes it for ICMPv6.
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    send(socket.as_raw_fd(), &message, MsgFlags::empty()).map_err(of_call)?;
    // Tokio's connected UDP socket also works with a raw one.
    let socket = UdpSocket::from_std(socket.into()).map_err(|error| of_io(&error))?;
    let replies = async {
        loop {
            let mut buffer = [0; 128];
            let received = socket.recv(&mut buffer).await.map_err(|error| of_arrival(&error))?;
            let packet = &buffer[..received];
            if is_reply(if address.is_ipv4() { after_header(packet) } else { packet }, reply, &message) {
                return Ok(());
            }
        }
    };
    timeout_at(deadline, replies).await.unwrap_or(Err(Failure::Timeout.into()))
}

/// An IPv4 raw socket also delivers the IP header.
fn after_header(packet: &[u8]) -> &[u8] {
    let length = packet.first().map_or(0, |first| usize::from(first & 0xf) * 4);
    packet.get(length..).unwrap_or_default()
}

fn is_reply(message: &[u8], reply: u8, request: &[u8; HEADER]) -> bool {
    message.len() >= HEADER && message[0] == reply && message[4..8] == request[4..8]
}

fn raw(source: Option<IpAddr>, address: IpAddr) -> Result<OwnedFd, Fault> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let socket =
        socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, protocol).map_err(of_call)?;
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source.unwrap_or(any), 0))).map_err(of_bind)?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, 0))).map_err(of_call)?;
    Ok(socket)
}

/// The Internet checksum (RFC 1071) of a message without a checksum.
fn checksum(message: &[u8; HEADER]) -> u16 {
    let words = message.as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word)));
    let sum: u32 = words.sum();
    !(((sum >> 16) + (sum & 0xffff)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reply_to_this_attempt_counts() {
        let request = [8, 0, 0, 0, 1, 2, 3, 4];
        assert!(is_reply(&[0, 0, 9, 9, 1, 2, 3, 4], 0, &request));
        assert!(!is_reply(&request, 0, &request), "loopback also shows the request");
        assert!(!is_reply(&[0, 0, 9, 9, 1, 2, 3, 5], 0, &request));
        assert!(!is_reply(&[0, 0, 9], 0, &request));
        assert_eq!(after_header(&[[0x45; 20].as_slice(), &[7]].concat()), [7]);
        // RFC 1071: words and checksum add up to all ones.
        assert_eq!(checksum(&[8, 0, 0, 0, 0x12, 0x34, 0, 1]), !(0x0800 + 0x1234 + 1));
    }
}
