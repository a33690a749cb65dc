//! The TCP sockets of this network namespace, by the kernel's socket diagnostics (`NETLINK_SOCK_DIAG`, sock_diag(7)).
//!
//! Trap: whatever is asked for, the kernel walks its whole table of connections. So ask once for all services. A port
//! saves what the kernel would have to write down about other sockets.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla},
};
use rtnetlink::{
    packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload},
    sys::{Socket, SocketAddr as KernelAddr, protocols::NETLINK_SOCK_DIAG},
};

use super::error::{Error, Result};

/// As much as the kernel writes at once.
const BUFFER_BYTES: usize = 32 << 10;

/// The state of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TcpState {
    /// Open.
    Established,
    /// This host opens it.
    SynSent,
    /// The client opens it.
    SynRecv,
    /// This host has closed it.
    FinWait1,
    /// This host has closed it, and the client knows.
    FinWait2,
    /// Closed by both; late packets are still answered.
    TimeWait,
    /// The client has closed it.
    CloseWait,
    /// Both have closed it, the client first.
    LastAck,
    /// Both have closed it at once.
    Closing,
}

impl TcpState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::SynSent,
        Self::SynRecv,
        Self::Established,
        Self::CloseWait,
        Self::LastAck,
        Self::FinWait1,
        Self::FinWait2,
        Self::Closing,
        Self::TimeWait,
    ];

    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::SynSent => "syn_sent",
            Self::SynRecv => "syn_recv",
            Self::FinWait1 => "fin_wait1",
            Self::FinWait2 => "fin_wait2",
            Self::TimeWait => "time_wait",
            Self::CloseWait => "close_wait",
            Self::LastAck => "last_ack",
            Self::Closing => "closing",
        }
    }

    /// The kernel's number (`include/net/tcp_states.h`).
    const fn number(self) -> u8 {
        match self {
            Self::Established => 1,
            Self::SynSent => 2,
            Self::SynRecv => 3,
            Self::FinWait1 => 4,
            Self::FinWait2 => 5,
            Self::TimeWait => 6,
            Self::CloseWait => 8,
            Self::LastAck => 9,
            Self::Closing => 11,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    fn flags() -> StateFlags {
        StateFlags::from_bits_truncate(Self::ALL.into_iter().map(|state| 1 << state.number()).sum())
    }
}

/// A socket that waits for connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Its address and port.
    pub local: SocketAddr,
    /// Whether a socket for any IPv6 address refuses IPv4.
    pub only_v6: bool,
    /// The index of the interface that it is bound to; 0: any.
    pub interface: u32,
}

impl Listener {
    /// Whether it takes connections to this address and port.
    pub fn takes(&self, to: SocketAddr) -> bool {
        let any = match self.local.ip() {
            IpAddr::V4(own) => own.is_unspecified() && to.is_ipv4(),
            IpAddr::V6(own) => own.is_unspecified() && (to.is_ipv6() || !self.only_v6),
        };
        self.local.port() == to.port() && (any || self.local.ip() == to.ip())
    }
}

/// Calls `each` for every connection, with its local address and port; `port`: only for those with this local port.
///
/// # Errors
///
/// The kernel cannot be asked.
pub fn each_connection(port: Option<u16>, mut each: impl FnMut(SocketAddr, TcpState)) -> Result<()> {
    dump(port, &TcpState::flags(), |socket| {
        if let Some(state) = TcpState::from_number(socket.header.state) {
            each(local(socket), state);
        }
    })
}

/// Every socket that listens.
///
/// # Errors
///
/// The kernel cannot be asked.
pub fn listeners() -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    dump(None, &StateFlags::LISTEN, |socket| {
        listeners.push(Listener {
            local: local(socket),
            only_v6: socket.nlas.contains(&Nla::SkV6Only(true)),
            interface: socket.header.socket_id.interface_id,
        });
    })?;
    Ok(listeners)
}

/// A socket of IPv6 that talks IPv4 has an IPv4-mapped address.
fn local(socket: &InetResponse) -> SocketAddr {
    let id = &socket.header.socket_id;
    SocketAddr::new(id.source_address.to_canonical(), id.source_port)
}

fn dump(port: Option<u16>, states: &StateFlags, mut each: impl FnMut(&InetResponse)) -> Result<()> {
    let socket = open().map_err(Error::Open)?;
    for family in [AF_INET, AF_INET6] {
        dump_family(&socket, family, port, states, &mut each)
            .map_err(|source| Error::Request { what: "this host's TCP sockets".to_owned(), source: explain(source) })?;
    }
    Ok(())
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&KernelAddr::new(0, 0))?;
    Ok(socket)
}

/// A kernel without the module says only that there is no such file.
fn explain(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(libc::ENOENT) {
        let text = "it has no socket diagnostics of TCP (CONFIG_INET_TCP_DIAG); `modprobe tcp_diag` loads them";
        return io::Error::new(io::ErrorKind::Unsupported, text);
    }
    error
}

fn dump_family(
    socket: &Socket,
    family: u8,
    port: Option<u16>,
    states: &StateFlags,
    each: &mut impl FnMut(&InetResponse),
) -> io::Result<()> {
    let any = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: states.clone(),
        socket_id: SocketId { source_port: port.unwrap_or_default(), ..any },
    });
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(request));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut answer = Vec::with_capacity(BUFFER_BYTES);
    loop {
        answer.clear();
        socket.recv(&mut answer, 0)?;
        if take(&answer, each)? {
            return Ok(());
        }
    }
}

/// Takes the messages of an answer; returns whether it is the last one.
fn take(mut answer: &[u8], each: &mut impl FnMut(&InetResponse)) -> io::Result<bool> {
    while !answer.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(answer).map_err(io::Error::other)?;
        if let NetlinkPayload::Done(_) = message.payload {
            return Ok(true);
        } else if let NetlinkPayload::Error(error) = &message.payload {
            return Err(error.to_io());
        } else if let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) = &message.payload {
            each(found);
        }
        let length = (message.header.length as usize).next_multiple_of(4);
        answer = answer.get(length.max(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

    use super::*;

    fn listener(ip: impl Into<IpAddr>, only_v6: bool) -> Listener {
        Listener { local: SocketAddr::new(ip.into(), 80), only_v6, interface: 0 }
    }

    #[test]
    fn listeners_take_what_the_kernel_gives_them() {
        let [four, six] = ["203.0.113.10:80", "[2001:db8::10]:80"].map(|text| text.parse::<SocketAddr>().unwrap());
        for (listener, takes) in [
            (listener(Ipv4Addr::UNSPECIFIED, false), [true, false]),
            (listener(Ipv6Addr::UNSPECIFIED, false), [true, true]),
            (listener(Ipv6Addr::UNSPECIFIED, true), [false, true]),
            (listener(four.ip(), false), [true, false]),
            (listener(six.ip(), false), [false, true]),
            (listener(Ipv4Addr::LOCALHOST, false), [false, false]),
        ] {
            assert_eq!([four, six].map(|to| listener.takes(to)), takes, "{listener:?}");
        }
        assert!(!listener(four.ip(), false).takes("203.0.113.10:81".parse().unwrap()));
    }

    /// A socket for any IPv6 address also holds a connection of IPv4.
    #[test]
    fn sockets_are_listed_as_they_are() {
        let socket = TcpListener::bind("[::]:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(to).unwrap()).collect();
        for port in [Some(port), None] {
            let mut found = Vec::new();
            each_connection(port, |local, state| found.extend((local == to).then_some(state))).unwrap();
            assert_eq!(found, vec![TcpState::Established; clients.len()], "{port:?}");
        }
        let of_port: Vec<_> = listeners().unwrap().into_iter().filter(|it| it.local.port() == port).collect();
        let expected = Listener { local: (Ipv6Addr::UNSPECIFIED, port).into(), only_v6: false, interface: 0 };
        assert_eq!(of_port, [expected]);
    }

    #[test]
    fn states_have_their_numbers() {
        for state in TcpState::ALL {
            assert_eq!(TcpState::from_number(state.number()), Some(state));
        }
        assert_eq!([7, 10, 12].map(TcpState::from_number), [None; 3]);
        assert_eq!(TcpState::flags().bits(), 0b1011_0111_1110);
    }
}
