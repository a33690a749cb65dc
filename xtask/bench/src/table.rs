//! Configurations to measure with, and the servers that the formula names.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use lb_common::mac::Mac;
use lb_userspace::{config::file, decide::slots::SlotTable};

use crate::frame::{Family, SERVICE, Shape, TCP, UDP};

/// The kind of services.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Address, protocol, and port.
    Port,
    /// Address and protocol for measured services, the others with ports.
    Portless,
    /// A prefix with protocol and port. This many lengths are in use; the other prefixes have none of the packets.
    Prefix(u32),
    /// Prefixes of this many lengths, nested in each other.
    Nested(u32, Nest),
}

/// What prefixes of [`Kind::Nested`] are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nest {
    /// They have none of the packets.
    Elsewhere,
    /// So do as many, of every kind; and as many more have all of the packets' addresses, but not their port.
    Around,
}

/// Whose servers they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pool {
    /// Each service has its own.
    Own,
    /// All services have the same ones.
    Shared,
    /// The same, and one of them is down.
    OneDown,
}

/// A number of services, each with the same number of servers.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The address family.
    pub family: Family,
    /// The kind of the services.
    pub kind: Kind,
    /// How many services.
    pub services: u32,
    /// At how many addresses: with fewer than services, several services share one.
    pub addresses: u32,
    /// How many servers each has.
    pub servers: u32,
    /// Whether other services have them as well.
    pub pool: Pool,
    /// The host's role.
    pub role: Role,
    /// Whether servers are behind a second interface.
    pub exit: bool,
}

/// The number of the server that is down in a pool with such a one.
const DOWN: u32 = 50;

/// The host's role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The gateway.
    Balancer,
    /// Server 0 of each service, in a group whose members receive every packet.
    Member,
    /// A server that chooses a router; routers take the place of servers in each service.
    Steer,
}

/// Protocol, port and formula of the first service at an address, the second, …
const VARIANTS: [(u8, u16, &str); 4] =
    [(TCP, 443, "3-tuple"), (TCP, 8443, "5-tuple"), (UDP, 443, "3-tuple"), (UDP, 8443, "5-tuple")];

impl Table {
    /// 1,000 services of 101 servers at 256 addresses.
    pub const fn usual(family: Family, kind: Kind) -> Self {
        Self {
            family,
            kind,
            services: 1_000,
            addresses: 256,
            servers: 101,
            pool: Pool::Own,
            role: Role::Balancer,
            exit: false,
        }
    }

    /// How far apart its addresses are, in bits.
    pub const fn stride(&self) -> u32 {
        match (self.kind, self.family) {
            (Kind::Port | Kind::Portless | Kind::Nested(..), _) => 0,
            (Kind::Prefix(_), Family::V4) => 8,
            (Kind::Prefix(_), Family::V6) => 64,
        }
    }

    /// As a configuration file.
    pub fn configuration(&self) -> String {
        let mut text = match self.role {
            Role::Balancer => String::new(),
            Role::Member => format!("role = \"member\"\nself = \"{}\"\n", self.server(0)),
            Role::Steer => "role = \"steer\"\n".to_owned(),
        };
        for number in 0..self.services {
            let (place, variant) = (number % self.addresses, (number / self.addresses) as usize);
            let (protocol, port, formula) = VARIANTS[variant % VARIANTS.len()];
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[[service]]\nname = \"s{number}\"\naddress = \"{}\"", self.address(place));
            let _ = writeln!(text, "protocol = {protocol}\nformula = \"{formula}\"");
            if self.kind != Kind::Portless || variant > 0 {
                let _ = writeln!(text, "port = {port}");
            }
            text += &self.server_list(number);
        }
        text + &self.nests()
    }

    fn server_list(&self, service: u32) -> String {
        let mut text = "server = [".to_owned();
        for server in 0..self.servers {
            let (address, mac) = (self.server(server), self.mac(service, server));
            let state = if self.pool == Pool::OneDown && server == DOWN { ",state=\"down\"" } else { "" };
            let _ = write!(text, "{{address=\"{address}\",mac=\"{mac}\"{state}}},");
        }
        text + "]\n"
    }

    /// Services of nested prefixes.
    fn nests(&self) -> String {
        const TCP_443: &str = "protocol = \"tcp\"\nport = 443\n";
        let (elsewhere, around): (&[&str], &[&str]) = match self.kind {
            Kind::Port | Kind::Portless | Kind::Prefix(..2) => (&[], &[]),
            Kind::Prefix(_) | Kind::Nested(_, Nest::Elsewhere) => (&[TCP_443], &[]),
            Kind::Nested(_, Nest::Around) => {
                (&[TCP_443, "protocol = \"tcp\"\n", ""], &["protocol = \"tcp\"\nport = 8443\n"])
            }
        };
        let mut text = String::new();
        for (place, kinds) in [(self.elsewhere(), elsewhere), (self.family.bases().1, around)] {
            for (number, kind) in kinds.iter().enumerate() {
                for length in self.lengths() {
                    let prefix = self.prefix(place, length);
                    let name = format!("n{number}-{length}-{}", u8::from(place != self.elsewhere()));
                    let _ = writeln!(text, "[[service]]\nname = \"{name}\"\naddress = \"{prefix}\"\n{kind}");
                    text += &Self { servers: 1, ..*self }.server_list(0);
                }
            }
        }
        text
    }

    /// Which lengths the nested prefixes have. The longest of all are among them, and the shortest.
    fn lengths(&self) -> Vec<u32> {
        let (bits, own) = match self.family {
            Family::V4 => (32, 24),
            Family::V6 => (128, 64),
        };
        match self.kind {
            Kind::Port | Kind::Portless => Vec::new(),
            Kind::Nested(count, _) => (1..=count).map(|number| number * (bits - 1) / count).collect(),
            Kind::Prefix(count) => {
                let longer = ((count - 1) / 2).min(bits - 1 - own);
                (own - (count - 1 - longer)..=own + longer).filter(|length| *length != own).collect()
            }
        }
    }

    /// An address in another half of the address space than all packets' addresses.
    const fn elsewhere(&self) -> u128 {
        match self.family {
            Family::V4 => 0x4020_1008,
            Family::V6 => 0xa000_1000 << 96 | 0x1000_0001,
        }
    }

    /// The prefix of this length around an address.
    fn prefix(&self, address: u128, length: u32) -> String {
        match self.family {
            Family::V4 => {
                let address = address as u32 & !(u32::MAX >> length);
                format!("{}/{length}", std::net::Ipv4Addr::from(address))
            }
            Family::V6 => {
                let address = address & !(u128::MAX >> length);
                format!("{}/{length}", std::net::Ipv6Addr::from(address))
            }
        }
    }

    /// The options of `attach` for its capacities.
    pub fn capacity(&self) -> String {
        // Equal tables are stored once, so these fit without any option.
        if self.pool != Pool::Own {
            return String::new();
        }
        // Tables with all servers up have one slot for each.
        let entries = (self.services * self.servers).max(65_536);
        format!("--max-services {} --max-slots {entries} --max-servers {entries}", self.services.max(512) + 512)
    }

    /// The MAC of the server that gets a packet of this shape, client and address.
    pub fn expected(&self, shape: &Shape, client: u16, service: u16) -> Result<Mac> {
        let (service, server) = self.named(shape, client, service)?;
        Ok(self.mac(service, server))
    }

    /// The number of the service that a packet of this shape, client and address belongs to, and of the server that
    /// gets it: by plain arithmetic the one that the formula names.
    pub fn named(&self, shape: &Shape, client: u16, service: u16) -> Result<(u32, u32)> {
        let (client_base, service_base) = shape.family.bases();
        let variant = match self.kind {
            Kind::Portless => 0,
            Kind::Port | Kind::Prefix(_) | Kind::Nested(..) => VARIANTS
                .iter()
                .position(|(protocol, port, _)| (*protocol, *port) == (shape.protocol, shape.port))
                .unwrap_or(0),
        };
        let mut sum = client_base + u128::from(client) + u128::from(shape.port);
        sum += service_base + (u128::from(service) << shape.stride);
        if VARIANTS[variant].2 == "5-tuple" {
            sum += u128::from(Shape::CLIENT_PORT) + u128::from(shape.protocol);
        }
        let number = u32::from(service) + variant as u32 * self.addresses;
        let server = (sum % u128::from(self.servers)) as u32;
        Ok((number, if self.pool == Pool::OneDown && server == DOWN { self.instead(sum)? } else { server }))
    }

    /// The server that gets a packet with this sum instead of the one that is down: what the library deals.
    fn instead(&self, sum: u128) -> Result<u32> {
        let config = file::parse(&Self { services: 1, ..*self }.configuration())?;
        let slots = SlotTable::build(config.services.first().context("no service")?);
        let server = slots.get((sum % u128::from(slots.len())) as u32);
        server
            .map(u32::from)
            .filter(|server| *server != DOWN)
            .context("nobody gets the flows of the server that is down")
    }

    /// The address, or prefix, of the services at a place.
    pub fn address(&self, place: u32) -> String {
        let stride = self.stride();
        match (self.family, self.kind) {
            (Family::V4, kind) => {
                let address = std::net::Ipv4Addr::from(u32::from(SERVICE.0) + (place << stride));
                if matches!(kind, Kind::Prefix(_)) { format!("{address}/24") } else { address.to_string() }
            }
            (Family::V6, kind) => {
                let address = u128::from(SERVICE.1) + (u128::from(place) << stride);
                if matches!(kind, Kind::Prefix(_)) {
                    format!("{}/64", std::net::Ipv6Addr::from(address >> 64 << 64))
                } else {
                    std::net::Ipv6Addr::from(address).to_string()
                }
            }
        }
    }

    /// A server's MAC.
    const fn mac(&self, service: u32, server: u32) -> Mac {
        mac(if matches!(self.pool, Pool::Own) { service } else { 0 }, server)
    }

    /// A server's address.
    pub fn server(&self, number: u32) -> String {
        match self.family {
            Family::V4 => std::net::Ipv4Addr::from(0x0a01_0001 + number).to_string(),
            Family::V6 => format!("fd00::{:x}:{:x}", number >> 16, number & 0xffff),
        }
    }
}

/// The MAC of a server; no two servers share one, unless all services have the same servers.
pub const fn mac(service: u32, server: u32) -> Mac {
    let ([.., a, b], [.., c, d]) = (service.to_be_bytes(), server.to_be_bytes());
    Mac([2, 0, a, b, c, d])
}
