//! The two services, and the lists of their servers.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::super::family::{Family, PORT};

/// The servers' names.
pub const SERVERS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s6"];

/// One of two services with the same servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Servers know it in role `keep`.
    Kept,
    /// They do not: only balancers have it in their configuration.
    Plain,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Plain, Self::Kept];

    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "with keep",
            Self::Plain => "without",
        }
    }

    /// The address of the service.
    pub const fn address(self, family: Family) -> IpAddr {
        match (self, family) {
            (Self::Kept, _) => family.service_address(),
            (Self::Plain, Family::V4) => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 11)),
            (Self::Plain, Family::V6) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf00, 0, 0, 0, 0, 0x11)),
        }
    }

    fn service(self, family: Family) -> String {
        match self {
            Self::Kept => family.service().to_owned(),
            Self::Plain => format!("{}-without", family.service()),
        }
    }
}

/// A server in a list, by its number from 0, and whether it is down.
pub type Entry = (usize, bool);

/// The configuration of these services with these servers.
pub fn configuration(sides: &[Side], servers: &[Entry]) -> String {
    let mut text = String::from("interfaces = [\"eth0\"]\n");
    for (side, family) in sides.iter().flat_map(|side| Family::BOTH.map(|family| (side, family))) {
        let (name, address) = (side.service(family), side.address(family));
        let _ = write!(
            text,
            "\n[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = {PORT}\n\
             formula = \"5-tuple\"\n"
        );
        for (number, down) in servers {
            let state = if *down { "down" } else { "up" };
            let _ =
                write!(text, "\n[[service.server]]\naddress = \"{}\"\nstate = \"{state}\"\n", family.server(*number));
        }
    }
    text
}
