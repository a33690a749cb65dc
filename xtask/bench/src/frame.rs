//! Frames, and where in them the driver writes the addresses of each packet.
//!
//! Clients are 198.19.0.0/16 and 2001:2:c::/112, services 198.18.0.0/16 and 2001:2:5::/48, in the networks that RFC
//! 2544 and RFC 5180 reserve for benchmarks. Trap: the driver adds byte by byte, so the varying bytes of client 0's and
//! service 0's addresses must be zero.

use std::net::{Ipv4Addr, Ipv6Addr};

use lb_common::mac::Mac;
use lb_ebpf::load::{Load, Write};

/// The MAC of every measured interface; each is in its own namespace.
pub const INTERFACE: Mac = Mac([0x02, 0xff, 0, 0, 0, 0x01]);

/// The MAC of the router that frames come from.
const ROUTER: Mac = Mac([0x02, 0xff, 0, 0, 0, 0xfe]);

/// The client with the number 0.
pub const CLIENT: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(198, 19, 0, 0), Ipv6Addr::new(0x2001, 2, 0xc, 0, 0, 0, 0, 0));

/// The service with the number 0.
pub const SERVICE: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(198, 18, 0, 0), Ipv6Addr::new(0x2001, 2, 5, 0, 0, 0, 0, 0));

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

/// An address family.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Its usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The numbers that the formula adds up: client 0's address, service 0's.
    pub fn bases(self) -> (u128, u128) {
        match self {
            Self::V4 => (u32::from(CLIENT.0).into(), u32::from(SERVICE.0).into()),
            Self::V6 => (CLIENT.1.into(), SERVICE.1.into()),
        }
    }
}

/// The kind of a frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shape {
    /// The address family.
    pub family: Family,
    /// TCP or UDP.
    pub protocol: u8,
    /// The service's port.
    pub port: u16,
    /// How far apart services' addresses are: this many bits to the left.
    pub stride: u32,
    /// The number of the first service.
    pub first: u16,
    /// VLAN tags.
    pub tags: usize,
    /// IPv6 destination options headers.
    pub extensions: usize,
    /// The packet of the other direction: from the service to the client.
    pub reply: bool,
    /// Instead of the packet itself, an ICMP error that quotes one of the other direction.
    pub error: bool,
    /// What kind of TCP segment it is.
    pub segment: Segment,
}

/// A kind of TCP segment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Segment {
    /// Any bytes; what forwards packets does not look at them.
    Any,
    /// The ACK of a connection, from a router. The driver writes the TTL or hop limit of each packet, too.
    Ack,
    /// The same, which a server has handed on: from this MAC, with this TTL or hop limit.
    HandedOn(Mac, u8),
}

impl Shape {
    /// The client's port.
    pub const CLIENT_PORT: u16 = 40_000;

    /// A plain TCP segment to port 443.
    pub const fn tcp(family: Family) -> Self {
        let (stride, first, tags, extensions) = (0, 0, 0, 0);
        Self {
            family,
            protocol: TCP,
            port: 443,
            stride,
            first,
            tags,
            extensions,
            reply: false,
            error: false,
            segment: Segment::Any,
        }
    }

    /// What makes the same work for the driver.
    pub const fn plain(self) -> Self {
        let Self { family, stride, reply, error, segment, .. } = self;
        Self { stride, reply, error, segment, ..Self::tcp(family) }
    }
}

/// Which flows packets belong to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Spread {
    /// Random values of the client's 16 bits are below this.
    pub clients: u16,
    /// Random values of the service's are below this.
    pub services: u16,
}

impl Spread {
    /// One flow.
    pub const HOT: Self = Self { clients: 0, services: 0 };
    /// 65,536 sources and 256 services.
    pub const MANY: Self = Self { clients: 0xffff, services: 0xff };

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        if self.clients == 0 { "hot" } else { "many" }
    }
}

/// A frame, and what the driver writes into it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The frame of client 0 and the first service.
    pub bytes: Vec<u8>,
    /// Where the client's varying 16 bits are in the packet.
    pub client_at: usize,
    /// Where the service's are.
    pub service_at: usize,
    writes: Vec<Write>,
}

impl Frame {
    /// Builds the frame.
    pub fn new(shape: &Shape) -> Self {
        let source = if let Segment::HandedOn(server, _) = shape.segment { server } else { ROUTER };
        let mut frame =
            Self { bytes: [INTERFACE.0, source.0].concat(), client_at: 0, service_at: 0, writes: Vec::new() };
        for _ in 0..shape.tags {
            frame.bytes.extend([0x81, 0x00, 0x00, 0x07]);
        }
        match shape.family {
            Family::V4 => frame.ipv4(shape),
            Family::V6 => frame.ipv6(shape),
        }
        if shape.segment != Segment::Any {
            frame.acknowledge(shape);
        }
        frame
    }

    /// Makes an ACK of a packet without tags, options and extension headers, whose TTL is written each time.
    fn acknowledge(&mut self, shape: &Shape) {
        const ACK: u8 = 0x10;
        let ttl = if let Segment::HandedOn(_, ttl) = shape.segment { ttl } else { 64 };
        let (at, word, length) = match shape.family {
            Family::V4 => (14 + 8, 14 + 4, 20),
            Family::V6 => (14 + 7, 14, 40),
        };
        self.bytes[at] = ttl;
        let transport = 14 + length;
        self.bytes[transport + 12..transport + 14].copy_from_slice(&[5 << 4, ACK]);
        self.write(word, None, None);
    }

    /// The driver's parameters.
    pub fn load(&self, spread: Spread, program: u32, random: u64) -> Load {
        let mut writes = [Write::default(); Load::WRITES];
        for (place, write) in writes.iter_mut().zip(&self.writes) {
            *place = *write;
        }
        Load {
            random,
            head: self.word(0),
            tail: self.word(8) as u32,
            clients: spread.clients.into(),
            services: spread.services.into(),
            program,
            writes,
        }
    }

    /// Client and service of a packet that the driver made of this frame.
    pub fn numbers(&self, packet: &[u8], spread: Spread) -> (u16, u16) {
        let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        (number(self.client_at) & spread.clients, number(self.service_at) & spread.services)
    }

    fn ipv4(&mut self, shape: &Shape) {
        let (client, service) = (CLIENT.0, SERVICE.0);
        let service = Ipv4Addr::from(u32::from(service) + (u32::from(shape.first) << shape.stride));
        self.bytes.extend([0x08, 0x00]);
        let service_shift = 48 - shape.stride;
        if shape.error {
            // A router's error to the service, quoting what a server sent to the client (RFC 792).
            let quote = 20 + TRANSPORT;
            self.ipv4_header(Ipv4Addr::new(198, 51, 100, 1), service, ICMP, 8 + quote);
            self.write(self.bytes.len() - 8, None, Some(service_shift));
            self.bytes.extend([3, 4, 0, 0, 0, 0, 0x05, 0x14]);
            self.ipv4_reply(service, client, shape);
        } else if shape.reply {
            self.ipv4_reply(service, client, shape);
        } else {
            self.ipv4_header(client, service, shape.protocol, TRANSPORT);
            self.write(self.bytes.len() - 8, Some(16), Some(service_shift));
            self.client_at = self.bytes.len() - 6;
            self.service_at = self.bytes.len() - 2 - shape.stride as usize / 8;
            self.transport(Shape::CLIENT_PORT, shape.port);
        }
    }

    fn ipv4_reply(&mut self, service: Ipv4Addr, client: Ipv4Addr, shape: &Shape) {
        self.ipv4_header(service, client, shape.protocol, TRANSPORT);
        self.write(self.bytes.len() - 8, Some(48), Some(16 - shape.stride));
        self.client_at = self.bytes.len() - 2;
        self.service_at = self.bytes.len() - 6 - shape.stride as usize / 8;
        self.transport(shape.port, Shape::CLIENT_PORT);
    }

    fn ipv4_header(&mut self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: usize) {
        let [high, low] = ((20 + payload) as u16).to_be_bytes();
        self.bytes.extend([0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0]);
        self.bytes.extend(source.octets());
        self.bytes.extend(destination.octets());
    }

    fn ipv6(&mut self, shape: &Shape) {
        let (client, service) = (CLIENT.1, SERVICE.1);
        let service = Ipv6Addr::from(u128::from(service) + (u128::from(shape.first) << shape.stride));
        self.bytes.extend([0x86, 0xdd]);
        if shape.error {
            // RFC 4443, 3.2.
            let quote = 40 + TRANSPORT;
            self.ipv6_header(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), service, ICMPV6, 8 + quote);
            self.ipv6_service(self.bytes.len() - 16, shape.stride);
            self.bytes.extend([2, 0, 0, 0, 0, 0, 0x05, 0x00]);
            self.ipv6_reply(service, client, shape);
        } else if shape.reply {
            self.ipv6_reply(service, client, shape);
        } else {
            let next = if shape.extensions > 0 { DESTINATION_OPTIONS } else { shape.protocol };
            self.ipv6_header(client, service, next, 8 * shape.extensions + TRANSPORT);
            self.ipv6_client(self.bytes.len() - 32);
            self.ipv6_service(self.bytes.len() - 16, shape.stride);
            for left in (0..shape.extensions).rev() {
                let next = if left > 0 { DESTINATION_OPTIONS } else { shape.protocol };
                // One option that pads the rest (RFC 8200, 4.2).
                self.bytes.extend([next, 0, 1, 4, 0, 0, 0, 0]);
            }
            self.transport(Shape::CLIENT_PORT, shape.port);
        }
    }

    fn ipv6_reply(&mut self, service: Ipv6Addr, client: Ipv6Addr, shape: &Shape) {
        self.ipv6_header(service, client, shape.protocol, TRANSPORT);
        self.ipv6_client(self.bytes.len() - 16);
        self.ipv6_service(self.bytes.len() - 32, shape.stride);
        self.transport(shape.port, Shape::CLIENT_PORT);
    }

    fn ipv6_header(&mut self, source: Ipv6Addr, destination: Ipv6Addr, next: u8, payload: usize) {
        let [high, low] = (payload as u16).to_be_bytes();
        self.bytes.extend([0x60, 0, 0, 0, high, low, next, 64]);
        self.bytes.extend(source.octets());
        self.bytes.extend(destination.octets());
    }

    /// The client's address is at `at`.
    fn ipv6_client(&mut self, at: usize) {
        self.write(at + 8, Some(48), None);
        self.client_at = at + 14;
    }

    /// The service's address is at `at`; strides are below 16 or 64.
    fn ipv6_service(&mut self, at: usize, stride: u32) {
        let half = if stride == 64 { at } else { at + 8 };
        let left = stride % 64;
        self.write(half, None, Some(48 - left));
        self.service_at = half + 6 - left as usize / 8;
    }

    /// The fields that TCP and UDP share, and a few more bytes.
    fn transport(&mut self, source: u16, destination: u16) {
        self.bytes.extend(source.to_be_bytes());
        self.bytes.extend(destination.to_be_bytes());
        self.bytes.resize(self.bytes.len() + TRANSPORT - 4, 0xab);
    }

    /// The driver writes eight bytes at `at`, which already hold the addresses of client 0 and the first service.
    fn write(&mut self, at: usize, client_shift: Option<u32>, service_shift: Option<u32>) {
        let factor = |shift: Option<u32>| shift.map_or(0, |shift| 1 << shift);
        let write = Write {
            base: self.word(at),
            client: factor(client_shift),
            service: factor(service_shift),
            offset: at as u64,
        };
        self.writes.push(write);
    }

    fn word(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(word)
    }
}

/// The length of a TCP header without options.
const TRANSPORT: usize = 20;
