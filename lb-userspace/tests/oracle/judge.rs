//! The oracle's verdict on a frame.

use std::net::IpAddr;

use lb_userspace::config::model::{Config, Direction, Formula, Fragments, Role, ServerMac, Service, State, Vlan};
use num_bigint::BigUint;

use crate::{
    outcome::Outcome,
    packet::{Tuple, is_of_an_open_connection, read},
    support::{
        bench::{XDP_DROP, XDP_PASS, XDP_TX},
        frame::GATEWAY,
    },
    tables::Table,
};

/// The gateway's own addresses.
const OWN: [&str; 2] = ["10.0.0.1", "fd00::1"];

/// A verdict, with the service and server that count it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub action: u32,
    pub frame: Vec<u8>,
    pub outcome: Outcome,
    /// The service's and the server's index in the configuration.
    pub server: Option<(usize, usize)>,
}

/// A configuration with its tables.
pub struct Judge {
    pub config: Config,
    tables: Vec<Table>,
}

impl Judge {
    pub fn new(config: Config) -> Self {
        let tables = config.services.iter().map(Table::new).collect();
        Self { config, tables }
    }

    pub fn judge(&self, frame: &[u8]) -> Verdict {
        let verdict = |action, outcome| Verdict { action, frame: frame.to_vec(), outcome, server: None };
        let tuple = match read(frame, GATEWAY) {
            Ok(tuple) => tuple,
            Err(outcome) => return verdict(XDP_PASS, outcome),
        };
        let (index, tuple) = match self.oriented(&tuple) {
            Ok(found) => found,
            Err(outcome) => return verdict(XDP_PASS, outcome),
        };
        let service = &self.config.services[index];
        let Some(owner) = self.tables[index].owner(&sum(service, &tuple)) else {
            return verdict(XDP_DROP, Outcome::NoServer);
        };
        let own = is_own;
        let mut owner = owner;
        if self.config.role == Role::Balancer {
            match self.sent_by_a_balancer(service, frame, own) {
                Some(None) => return verdict(XDP_DROP, Outcome::Loop),
                Some(Some(here)) => owner = here,
                None => {}
            }
        }
        let server = &service.servers[owner];
        let own = own(server.address);
        if self.config.role == Role::Member {
            let mut accepted = frame.to_vec();
            accepted[..6].copy_from_slice(&GATEWAY);
            let own = own && !self.may_be_held_elsewhere(frame, index, &tuple, owner);
            let server = Some((index, owner));
            return match own {
                true => Verdict { frame: accepted, server, ..verdict(XDP_PASS, Outcome::Accepted) },
                false => Verdict { server, ..verdict(XDP_DROP, Outcome::Others) },
            };
        }
        let ServerMac::Given(mac) = server.mac else { panic!("a server without a MAC") };
        let sent =
            if own { frame.to_vec() } else { [&mac.0[..], &GATEWAY, &tagged(&frame[12..], server.vlan)].concat() };
        Verdict {
            action: if own { XDP_PASS } else { XDP_TX },
            frame: sent,
            outcome: if own { Outcome::Local } else { Outcome::Forwarded },
            server: Some((index, owner)),
        }
    }

    /// Section 4, step 9 of `keep`: a draining member among the next three may hold the packet's connection. Nobody has
    /// any here, so all of them drop the packet.
    fn may_be_held_elsewhere(&self, frame: &[u8], index: usize, tuple: &Tuple, owner: usize) -> bool {
        let service = &self.config.services[index];
        let is_terminated =
            service.direction == Direction::Forward && service.address.prefix_len() == service.address.max_prefix_len();
        if tuple.protocol != 6 || tuple.piece || !is_terminated || !is_of_an_open_connection(frame, GATEWAY) {
            return false;
        }
        let next = self.tables[index].ranked(&service.servers, &sum(service, tuple), owner);
        let mut next = next.iter().take(3).map(|server| &service.servers[*server]);
        next.any(|server| server.state == State::Down && !is_own(server.address))
    }

    /// Section 4, "a frame is balanced once". `None`: it is balanced. `Some`: another balancer of the service has
    /// balanced it already, and the server that is the gateway takes it, if there is one.
    fn sent_by_a_balancer(
        &self,
        service: &Service,
        frame: &[u8],
        own: impl Fn(IpAddr) -> bool,
    ) -> Option<Option<usize>> {
        let given = |mac: ServerMac| if let ServerMac::Given(mac) = mac { mac.0 } else { panic!("no MAC") };
        let here = service.servers.iter().position(|server| own(server.address));
        let mut others: Vec<[u8; 6]> = Vec::new();
        if here.is_some() {
            let elsewhere = service.servers.iter().filter(|server| !own(server.address));
            others.extend(elsewhere.map(|server| given(server.mac)));
        }
        for peer in self.config.peers.iter().filter(|peer| !own(peer.address)) {
            let mut servers = self.config.services.iter().flat_map(|service| &service.servers);
            // The MAC of a peer that is no server is not known here: nobody answers.
            others.extend(servers.find(|server| server.address == peer.address).map(|server| given(server.mac)));
        }
        others.iter().any(|mac| frame[6..12] == *mac).then_some(here)
    }

    /// The service that a packet goes to or comes from, and the tuple with the client as source.
    fn oriented(&self, tuple: &Tuple) -> Result<(usize, Tuple), Outcome> {
        match self.service(tuple, Direction::Reply) {
            Err(Outcome::NoService) => {
                let swapped = Tuple {
                    source: tuple.destination,
                    destination: tuple.source,
                    source_port: tuple.destination_port,
                    destination_port: tuple.source_port,
                    ..*tuple
                };
                Ok((self.service(&swapped, Direction::Forward)?, swapped))
            }
            found => Ok((found?, tuple.clone())),
        }
    }

    /// The service that a packet belongs to, or the outcome with which it passes: an exact service, or else that of the
    /// longest prefix with a matching one.
    ///
    /// Services of the direction `not` are ignored.
    fn service(&self, tuple: &Tuple, not: Direction) -> Result<usize, Outcome> {
        let services = || {
            let all = self.config.services.iter().enumerate();
            all.filter(|(_, s)| s.direction != not && s.address.contains(&tuple.destination))
        };
        // Packets from the gateway's own addresses do match prefixes.
        let kept = |address| match not {
            Direction::Forward => special(address),
            Direction::Reply | Direction::Both => is_excluded(address),
        };
        let mut lengths: Vec<_> = services().map(|(_, service)| service.address.prefix_len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        for length in lengths {
            let whole = length == if tuple.destination.is_ipv4() { 32 } else { 128 };
            if !whole && kept(tuple.destination) {
                continue;
            }
            let here: Vec<_> =
                services().filter(|(_, s)| s.address.prefix_len() == length).map(|(index, _)| index).collect();
            match self.among(&here, tuple) {
                Err(Outcome::NoService) => {}
                found => return found,
            }
        }
        Err(Outcome::NoService)
    }

    /// The same among services of one address or prefix.
    fn among(&self, here: &[usize], tuple: &Tuple) -> Result<usize, Outcome> {
        let find =
            |fits: &dyn Fn(&Service) -> bool| here.iter().copied().find(|index| fits(&self.config.services[*index]));
        let protocol = Some(tuple.protocol);
        let without_port = find(&|service| service.protocol == protocol && service.port.is_none());
        let without_protocol = find(&|service| service.protocol.is_none());
        if tuple.piece {
            let says_so = find(&|service| service.protocol == protocol && service.fragments == Fragments::Balance);
            let passes =
                find(&|service| service.protocol == protocol).map_or(Outcome::NoService, |_| Outcome::Fragment);
            return says_so.or(without_port).or(without_protocol).ok_or(passes);
        }
        let exact = find(&|service| service.protocol == protocol && service.port == Some(tuple.destination_port));
        exact.or(without_port).or(without_protocol).ok_or(Outcome::NoService)
    }
}

/// The frame after its MACs, with the server's VLAN in the outer tag.
fn tagged(rest: &[u8], vlan: Option<Vlan>) -> Vec<u8> {
    let has_tag = [[0x81, 0x00], [0x88, 0xa8]].iter().any(|kind| rest.starts_with(kind));
    match (vlan, has_tag) {
        (None, _) | (Some(Vlan::Untagged), false) => rest.to_vec(),
        (Some(Vlan::Untagged), true) => rest[4..].to_vec(),
        (Some(Vlan::Tagged(id)), false) => [&[0x81, 0x00, (id / 256) as u8, (id % 256) as u8], rest].concat(),
        (Some(Vlan::Tagged(id)), true) => {
            let mut rest = rest.to_vec();
            (rest[2], rest[3]) = (rest[2] / 16 * 16 + (id / 256) as u8, (id % 256) as u8);
            rest
        }
    }
}

/// Whether an address is the gateway's own.
fn is_own(address: IpAddr) -> bool {
    OWN.iter().any(|own| own.parse::<IpAddr>().unwrap() == address)
}

/// Whether no prefix takes an address: special ones, the gateway's own, and its network's broadcast address.
fn is_excluded(address: IpAddr) -> bool {
    if OWN.iter().chain(&["10.0.0.255"]).any(|own| own.parse::<IpAddr>().unwrap() == address) {
        return true;
    }
    special(address)
}

/// The same without the gateway's.
fn special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, _, _] = address.octets();
            a == 127 || (224..240).contains(&a) || (a, b) == (169, 254) || [0, u32::MAX].contains(&address.to_bits())
        }
        IpAddr::V6(address) => {
            let [a, b, ..] = address.octets();
            a == 0xff || (a == 0xfe && b & 0xc0 == 0x80) || address.to_bits() < 2
        }
    }
}

fn sum(service: &Service, tuple: &Tuple) -> BigUint {
    let number = |address| match address {
        IpAddr::V4(address) => BigUint::from_bytes_be(&std::net::Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => BigUint::from_bytes_be(&std::net::Ipv6Addr::octets(&address)),
    };
    let three = number(tuple.source) + number(tuple.destination) + tuple.destination_port;
    match service.formula {
        Formula::ThreeTuple => three,
        Formula::FiveTuple => three + tuple.source_port + tuple.protocol,
    }
}
