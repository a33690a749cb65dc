//! A gateway with a server behind each of two interfaces, and what packets to them do on both links.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    frame::{TCP, ether_type, ethernet, ip, ports},
    modlb::Modlb,
    namespace::Namespace,
    wait::PATIENCE,
    wire::Wire,
};

/// The MACs of the gateway's interfaces.
const OWN: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 1, 1]];

/// The last byte of the MACs of servers behind the first and behind the second interface.
const SERVERS: [u8; 2] = [11, 12];

/// The gateway, and both links.
pub struct TwoLinks {
    // Before the namespace, so that it is detached first.
    pub modlb: Modlb,
    pub namespace: Namespace,
    wires: [Wire; 2],
    next: AtomicU16,
}

/// What became of the packets that came in by an interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fate {
    /// They left by the link of the server that they were addressed to.
    pub right: usize,
    /// They left by the other link.
    pub wrong: usize,
    /// They did not leave.
    pub lost: usize,
}

impl TwoLinks {
    /// Makes it. The servers' MACs have to be found.
    pub fn new() -> Self {
        let namespace = Namespace::new("two-links");
        for index in [0, 1] {
            Self::make(&namespace, index);
            Self::address(&namespace, index);
        }
        let wires = ["peer0", "peer1"].map(|peer| Wire::new(&namespace, peer));
        Self { modlb: Modlb::new(&namespace), namespace, wires, next: AtomicU16::new(1) }
    }

    fn make(namespace: &Namespace, index: usize) {
        let mac = format!("02:00:00:00:0{index}:01");
        namespace.ip(&format!("link add eth{index} address {mac} type veth peer name peer{index}"));
        namespace.ip(&format!("link set eth{index} up"));
        namespace.ip(&format!("link set peer{index} up"));
    }

    /// Gives an interface its addresses, and the neighbour entries of the server behind it.
    pub fn address(namespace: &Namespace, index: usize) {
        let server = SERVERS[index];
        namespace.ip(&format!("addr add 10.0.{index}.1/24 dev eth{index}"));
        namespace.ip(&format!("addr add fd00:{index}::1/64 dev eth{index} nodad"));
        for server in [format!("10.0.{index}.{server}"), format!("fd00:{index}::{server}")] {
            let mac = format!("02:00:00:00:02:{:02x}", SERVERS[index]);
            namespace.ip(&format!("neigh replace {server} lladdr {mac} dev eth{index} nud permanent"));
        }
    }

    /// The configuration. Servers of IPv4 have their MAC in it.
    pub fn configuration() -> String {
        Self::services(true)
    }

    /// The same without any MAC.
    pub fn configuration_without_macs() -> String {
        Self::services(false)
    }

    fn services(given: bool) -> String {
        let mut text = String::new();
        for (name, address) in [("four", "203.0.113.10"), ("six", "2001:db8:f00::10")] {
            text +=
                &format!("[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nprotocol = \"tcp\"\nport = 80\n");
            for (index, server) in SERVERS.iter().enumerate() {
                text += &match name {
                    "four" => format!("[[service.server]]\naddress = \"10.0.{index}.{server}\"\n"),
                    _ => format!("[[service.server]]\naddress = \"fd00:{index}::{server}\"\n"),
                };
                if given && name == "four" {
                    text += &format!("mac = \"02:00:00:00:02:{server:02x}\"\n");
                }
            }
        }
        text
    }

    /// Attaches to these interfaces in generic mode.
    pub fn attach(&self, interfaces: &str) {
        self.modlb.attach(&format!("{interfaces} --mode generic"), &Self::configuration());
    }

    /// Sends packets of many clients in by an interface.
    pub fn probe(&self, interface: usize) -> Fate {
        let sent: Vec<_> = (0..24).map(|_| self.send(interface)).collect();
        self.fates([sent])[0]
    }

    /// Sends packets in by an interface until `stop`.
    pub fn send_until(&self, interface: usize, stop: &AtomicBool) -> Vec<u16> {
        let mut sent = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            sent.push(self.send(interface));
            thread::sleep(Duration::from_micros(500));
        }
        sent
    }

    /// Sends one packet, and returns its number.
    fn send(&self, interface: usize) -> u16 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (client, service) = match number % 2 {
            0 => (format!("198.51.100.{}", number / 2 % 250), "203.0.113.10"),
            _ => (format!("2001:db8::{:x}", number / 2), "2001:db8:f00::10"),
        };
        let packet = ip(address(&client), address(service), TCP, &ports(number, 80));
        self.wires[interface].send(&ethernet(OWN[interface], &[], ether_type(&packet), &packet));
        number
    }

    /// What became of several lots of packets. Waits for them as long as some come, but not for ever.
    pub fn fates<const N: usize>(&self, sent: [Vec<u16>; N]) -> [Fate; N] {
        /// Far longer than a packet takes. What is lost has to be waited for this long.
        const QUIET: Duration = Duration::from_millis(500);
        let mut missing = sent.map(|numbers| numbers.into_iter().collect::<HashSet<_>>());
        let (mut fates, start) = ([Fate::default(); N], Instant::now());
        let mut last = Instant::now();
        while missing.iter().any(|missing| !missing.is_empty()) && last.elapsed() < QUIET && start.elapsed() < PATIENCE
        {
            for (link, wire) in self.wires.iter().enumerate() {
                while let Some(frame) = wire.receive(Duration::from_millis(2)) {
                    let Some((server, number)) = forwarded(&frame) else { continue };
                    let Some(lot) = missing.iter_mut().position(|missing| missing.remove(&number)) else { continue };
                    last = Instant::now();
                    if SERVERS[link] == server { fates[lot].right += 1 } else { fates[lot].wrong += 1 }
                }
            }
        }
        for (fate, missing) in fates.iter_mut().zip(missing) {
            fate.lost = missing.len();
        }
        fates
    }
}

/// The last byte of the server's MAC and the number of a packet that was sent to a server.
fn forwarded(frame: &[u8]) -> Option<(u8, u16)> {
    let to_server = frame.get(..5)? == [2, 0, 0, 0, 2];
    let port = if frame.get(12..14)? == [8, 0] { 34 } else { 54 };
    let number = u16::from_be_bytes(frame.get(port..port + 2)?.try_into().ok()?);
    to_server.then_some((frame[5], number))
}
