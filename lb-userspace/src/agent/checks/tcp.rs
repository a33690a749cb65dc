//! Opens connections to servers so that no trace of them stays on this host.
//!
//! A connection is closed by a reset: this host keeps no TIME_WAIT, so its own checks never use up its local ports. To
//! the server that is as good an end as any, once its answer is read.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream as StdStream},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err},
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, connect, recvmsg,
        setsockopt, socket, sockopt,
    },
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::fault::{Fault, of_arrival, of_bind, of_call, of_io};
use crate::observe::local_error::LocalError;

/// ICMP's code for a host that does not answer (RFC 792).
const HOST_UNREACHABLE: u8 = 1;

/// ICMPv6's code for the same (RFC 4443, 3.1).
const ADDRESS_UNREACHABLE: u8 = 3;

/// Connects from an address of this host, or from one that the kernel chooses.
pub(super) async fn open(source: Option<IpAddr>, to: SocketAddr, deadline: Instant) -> Result<TcpStream, Fault> {
    let socket = new(source, to).map_err(|(bound, error)| if bound { of_bind(error) } else { of_call(error) })?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(of_call(error)),
    }
    let stream = TcpStream::from_std(StdStream::from(socket)).map_err(|error| of_io(&error))?;
    let result = match timeout_at(deadline, stream.writable()).await {
        Ok(ready) => ready.and_then(|()| stream.take_error()).and_then(|error| error.map_or(Ok(()), Err)),
        Err(_) => Err(io::Error::from_raw_os_error(Errno::ETIMEDOUT as i32)),
    };
    match result {
        Ok(()) => Ok(stream),
        Err(_) if rejected_here(stream.as_fd()) => Err(Fault::Local(LocalError::Denied)),
        Err(error) => Err(of_arrival(&error)),
    }
}

/// A socket that resets its connection when it is closed. On failure, whether `bind` failed.
fn new(source: Option<IpAddr>, to: SocketAddr) -> Result<OwnedFd, (bool, Errno)> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let made = socket(family, SockType::Stream, flags, None).and_then(|socket| {
        setsockopt(&socket, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        match to.is_ipv4() {
            true => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
            false => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
        }
        Ok(socket)
    });
    let socket = made.map_err(|error| (false, error))?;
    if let Some(source) = source {
        // The port is chosen by `connect`, which can share it between servers.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).map_err(|error| (false, error))?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0))).map_err(|error| (true, error))?;
    }
    Ok(socket)
}

/// Whether an ICMP error of this host's own arrived, other than that the server does not answer for its address: its
/// firewall rejects the connection. If it arrived during `connect`, the kernel keeps trying, and it is only in the
/// queue.
fn rejected_here(socket: BorrowedFd<'_>) -> bool {
    let own = nix::sys::socket::getsockname::<SockaddrStorage>(socket.as_raw_fd()).ok().and_then(|own| ip(&own));
    let mut space = cmsg_space!(sock_extended_err, nix::libc::sockaddr_in6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let Ok(message) = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut [], Some(&mut space), flags) else {
        return false;
    };
    let Ok(mut messages) = message.cmsgs() else { return false };
    messages.any(|message| {
        let (from, rejected) = if let ControlMessageOwned::Ipv4RecvErr(error, Some(from)) = message {
            let from = IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes());
            (from, error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_code != HOST_UNREACHABLE)
        } else if let ControlMessageOwned::Ipv6RecvErr(error, Some(from)) = message {
            let from = IpAddr::from(from.sin6_addr.s6_addr);
            (from, error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_code != ADDRESS_UNREACHABLE)
        } else {
            return false;
        };
        rejected && own == Some(from)
    })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|four| IpAddr::from(four.ip()));
    four.or_else(|| address.as_sockaddr_in6().map(|six| IpAddr::from(six.ip())))
}

/// Opens and closes a connection.
pub(super) async fn check(source: Option<IpAddr>, to: SocketAddr, deadline: Instant) -> Result<(), Fault> {
    open(source, to, deadline).await.map(drop)
}
