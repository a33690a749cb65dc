//! The host's sockets, from proc(5).

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use lb_common::flow::protocol::{TCP, UDP};

/// TCP states as numbered by the kernel; an unconnected datagram socket is "closed".
const ESTABLISHED: &str = "01";
const CLOSED: &str = "07";
const LISTENING: &str = "0A";

/// A connection to this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// The peer's socket.
    pub client: SocketAddr,
    /// The socket on this host.
    pub here: SocketAddr,
}

/// Established connections and listening sockets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sockets {
    /// Established TCP connections.
    pub established: Vec<Connection>,
    /// Protocols and addresses of sockets that listen.
    pub listening: Vec<(u8, SocketAddr)>,
}

impl Sockets {
    /// Reads those of this thread's network namespace.
    pub fn read() -> io::Result<Self> {
        let mut sockets = Self::default();
        for (name, protocol) in [("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP)] {
            // Missing if the kernel does not have the family.
            match fs::read_to_string(format!("/proc/thread-self/net/{name}")) {
                Ok(text) => sockets.add(protocol, &text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sockets)
    }

    /// The connections to a port of this host.
    pub fn connections(&self, port: u16) -> impl Iterator<Item = &Connection> {
        self.established.iter().filter(move |connection| connection.here.port() == port)
    }

    /// Whether a program listens there. A socket for any IPv6 address usually accepts IPv4 as well.
    pub fn listens(&self, protocol: u8, address: IpAddr, port: u16) -> bool {
        self.listening.iter().any(|(number, socket)| {
            let any = match socket.ip() {
                IpAddr::V4(own) => own.is_unspecified() && address.is_ipv4(),
                IpAddr::V6(own) => own.is_unspecified(),
            };
            *number == protocol && socket.port() == port && (any || socket.ip() == address)
        })
    }

    pub(super) fn add(&mut self, protocol: u8, text: &str) {
        for line in text.lines().skip(1) {
            let mut words = line.split_whitespace().skip(1);
            let (Some(here), Some(client), Some(state)) = (words.next(), words.next(), words.next()) else { continue };
            let (Some(here), Some(client)) = (socket(here), socket(client)) else { continue };
            match (protocol, state) {
                (TCP, ESTABLISHED) => self.established.push(Connection { client, here }),
                (TCP, LISTENING) | (UDP, CLOSED) => self.listening.push((protocol, here)),
                (_, _) => {}
            }
        }
    }
}

/// Parses text such as `0100007F:0016`: 32-bit words in memory order, each printed as a number.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::from(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}
