//! The addresses of all hosts, in both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The servers' names.
pub const SERVERS: [&str; 3] = ["s1", "s2", "s3"];

/// Clients in each family.
pub const CLIENTS: usize = 12;

/// The services' port.
pub const PORT: u16 = 80;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The name of the service.
    pub const fn service(self) -> &'static str {
        match self {
            Self::V4 => "web4",
            Self::V6 => "web6",
        }
    }

    /// The address of the service.
    pub const fn service_address(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x10)),
        }
    }

    /// The addresses of the clients.
    pub fn clients(self) -> impl Iterator<Item = IpAddr> {
        (0..CLIENTS).map(move |number| match self {
            Self::V4 => Ipv4Addr::new(198, 51, 100, 101 + number as u8).into(),
            Self::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 0x101 + number as u16).into(),
        })
    }

    /// The address of a server.
    pub fn server(self, number: usize) -> IpAddr {
        self.host(server_host(number))
    }

    /// An address of the segment.
    pub fn host(self, number: u8) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(10, 77, 0, number).into(),
            Self::V6 => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into()).into(),
        }
    }

    /// The prefix length of the segment and of the clients' network.
    pub const fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    /// The clients' network.
    pub const fn clients_net(self) -> &'static str {
        match self {
            Self::V4 => "198.51.100.0/24",
            Self::V6 => "2001:db8:c::/64",
        }
    }
}

/// A server's number on the segment.
pub const fn server_host(number: usize) -> u8 {
    11 + number as u8
}

/// The MAC of a host of the segment.
pub fn mac(host: u8) -> String {
    format!("02:00:00:00:00:{host:02x}")
}

/// The clients of both families.
pub fn all_clients() -> impl Iterator<Item = IpAddr> {
    Family::BOTH.into_iter().flat_map(Family::clients)
}

/// An address and a port as in a URL: `[address]:port` for IPv6.
pub fn endpoint(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
