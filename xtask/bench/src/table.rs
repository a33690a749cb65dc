//! Configurations to measure with, and the servers that the formula names.

use std::fmt::Write as _;

use lb_common::mac::Mac;

use crate::frame::{Family, SERVICE, Shape, TCP, UDP};

/// The kind of services.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Address, protocol, and port.
    Port,
    /// Address and protocol for measured services, the others with ports.
    Portless,
    /// A prefix with protocol and port.
    Prefix,
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
    /// The host's role.
    pub role: Role,
}

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
        Self { family, kind, services: 1_000, addresses: 256, servers: 101, role: Role::Balancer }
    }

    /// How far apart its addresses are, in bits.
    pub const fn stride(&self) -> u32 {
        match (self.kind, self.family) {
            (Kind::Port | Kind::Portless, _) => 0,
            (Kind::Prefix, Family::V4) => 8,
            (Kind::Prefix, Family::V6) => 64,
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
            text += "server = [";
            for server in 0..self.servers {
                let (address, mac) = (self.server(server), mac(number, server));
                let _ = write!(text, "{{address=\"{address}\",mac=\"{mac}\"}},");
            }
            text += "]\n";
        }
        text
    }

    /// The options of `attach` for its capacities.
    pub fn capacity(&self) -> String {
        // Tables with all servers up have one slot for each.
        let entries = (self.services * self.servers).max(65_536);
        format!("--max-services {} --max-slots {entries} --max-servers {entries}", self.services.max(16))
    }

    /// The MAC of the server that the formula names.
    pub fn expected(&self, shape: &Shape, client: u16, service: u16) -> Mac {
        let (service, server) = self.named(shape, client, service);
        mac(service, server)
    }

    /// The number of the service that a packet of this shape, client and address belongs to, and of the server that the
    /// formula names, by plain arithmetic.
    pub fn named(&self, shape: &Shape, client: u16, service: u16) -> (u32, u32) {
        let (client_base, service_base) = shape.family.bases();
        let variant = match self.kind {
            Kind::Portless => 0,
            Kind::Port | Kind::Prefix => VARIANTS
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
        (number, (sum % u128::from(self.servers)) as u32)
    }

    /// The address, or prefix, of the services at a place.
    pub fn address(&self, place: u32) -> String {
        let stride = self.stride();
        match (self.family, self.kind) {
            (Family::V4, kind) => {
                let address = std::net::Ipv4Addr::from(u32::from(SERVICE.0) + (place << stride));
                if kind == Kind::Prefix { format!("{address}/24") } else { address.to_string() }
            }
            (Family::V6, kind) => {
                let address = u128::from(SERVICE.1) + (u128::from(place) << stride);
                if kind == Kind::Prefix {
                    format!("{}/64", std::net::Ipv6Addr::from(address >> 64 << 64))
                } else {
                    std::net::Ipv6Addr::from(address).to_string()
                }
            }
        }
    }

    /// A server's address.
    pub fn server(&self, number: u32) -> String {
        match self.family {
            Family::V4 => std::net::Ipv4Addr::from(0x0a01_0001 + number).to_string(),
            Family::V6 => format!("fd00::{:x}:{:x}", number >> 16, number & 0xffff),
        }
    }
}

/// The MAC of a server; no two servers of all services share one.
pub fn mac(service: u32, server: u32) -> Mac {
    let ([.., a, b], [.., c, d]) = (service.to_be_bytes(), server.to_be_bytes());
    Mac([2, 0, a, b, c, d])
}
