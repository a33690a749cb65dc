//! The workload: a service whose servers come and go, and connections to it.
//!
//! The shape is that of the dynamic workload of Cheetah (Barbette et al., NSDI 2020): 24 servers, up to 30, down to 22,
//! in ten steps within 18 s, with 12,000 connections at any time.

use std::net::{IpAddr, Ipv4Addr};

use lb_userspace::{
    config::model::{
        Direction, Formula, Fragments, Health, PreviousServer, Selection, Server, ServerMac, Service, State,
    },
    decide::keep::{
        ranking::{Entry, Ranking, Rankings, universe},
        ring,
    },
};

use super::chance::Chance;

/// How many servers there are, step by step.
pub const SERVERS: [u64; 11] = [24, 26, 28, 30, 28, 27, 26, 25, 24, 23, 22];

/// How long it all lasts, in seconds; steps are evenly spread.
const SECONDS: f64 = 18.0;

/// The time between two steps.
pub const EPOCH: f64 = SECONDS / SERVERS.len() as f64;

/// How many connections there are at any time.
const CONCURRENT: u32 = 12_000;

/// The most previous lists that a file has.
pub const LISTS: usize = 8;

const SERVICE: (Ipv4Addr, u16) = (Ipv4Addr::new(203, 0, 113, 10), 443);

/// A time between two steps.
pub struct Epoch {
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends.
    pub to: f64,
    /// What hosts compute of the file that is in force.
    pub file: File,
}

/// What hosts compute of a file.
pub struct File {
    universe: Vec<IpAddr>,
    rankings: Rankings,
}

/// The connections of a run.
pub struct Connections {
    /// Those that live through a step.
    pub crossing: Vec<Connection>,
    /// How many there are besides: nothing changes for them.
    pub others: u32,
    /// How long those last together, in seconds.
    pub others_time: f64,
}

/// A connection.
pub struct Connection {
    /// The sum of the formula.
    pub sum: u64,
    /// The hash that orders its ring.
    pub flow: u64,
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends.
    pub to: f64,
}

impl File {
    fn of(service: &Service) -> Self {
        let universe = universe(service);
        let all = vec![true; universe.len()];
        Self { rankings: Rankings::of(service, &universe, &all, &all), universe }
    }

    /// The entries of a connection, that of the current list first.
    pub fn entries(&self, connection: &Connection) -> Vec<Entry> {
        let entry = |list: &Ranking| list.entries[(connection.sum % u64::from(list.slots)) as usize];
        self.rankings.lists.iter().map(entry).collect()
    }

    /// The address of a server.
    pub fn address(&self, server: u16) -> IpAddr {
        self.universe[usize::from(server)]
    }

    /// Where balancers send the connection.
    pub fn owner(&self, connection: &Connection) -> IpAddr {
        let list = &self.rankings.lists[0];
        self.address(list.entries[(connection.sum % u64::from(list.slots)) as usize][0])
    }
}

/// The numbers of the servers that are listed, step by step: they are added at the end of the list, and removed
/// anywhere. Those that are removed serve what they hold until it ends.
pub fn lists(seed: u64) -> Vec<Vec<u32>> {
    let mut chance = Chance::new(seed);
    let (mut list, mut next) = (Vec::new(), 0);
    let mut lists = Vec::new();
    for servers in SERVERS {
        while (list.len() as u64) < servers {
            list.push(next);
            next += 1;
        }
        while list.len() as u64 > servers {
            list.remove(chance.below(list.len() as u64) as usize);
        }
        lists.push(list.clone());
    }
    lists
}

/// The epochs of a seed.
pub fn epochs(selection: Selection, seed: u64) -> Vec<Epoch> {
    let mut service = service(selection);
    let mut epochs = Vec::new();
    for (step, list) in lists(seed).into_iter().enumerate() {
        let before = std::mem::replace(&mut service.servers, list.into_iter().map(server).collect());
        if step > 0 {
            service.previous.insert(0, before.iter().map(previous).collect());
            service.previous.truncate(LISTS);
        }
        let from = step as f64 * EPOCH;
        epochs.push(Epoch { from, to: from + EPOCH, file: File::of(&service) });
    }
    epochs
}

/// The connections of a seed, by the mean of their exponentially distributed length, in seconds.
pub fn connections(mean: f64, seed: u64) -> Connections {
    let mut chance = Chance::new(!seed);
    let mut all = Connections { crossing: Vec::new(), others: 0, others_time: 0.0 };
    // At the beginning there are as many as ever: what is left of their lengths is distributed as the lengths are.
    let (mut number, mut from) = (0, 0.0);
    while from < SECONDS {
        let to = (from + chance.exponential(mean)).min(SECONDS);
        if (from / EPOCH).floor() < (to / EPOCH).floor() && from < SECONDS - EPOCH {
            all.crossing.push(connection(&mut chance, from, to));
        } else {
            (all.others, all.others_time) = (all.others + 1, all.others_time + to - from);
        }
        number += 1;
        if number >= CONCURRENT {
            from += chance.exponential(mean / f64::from(CONCURRENT));
        }
    }
    all
}

fn connection(chance: &mut Chance, from: f64, to: f64) -> Connection {
    let (client, port) = (chance.below(1 << 32) as u32, 1_024 + chance.below(64_512) as u16);
    let (service, service_port) = SERVICE;
    let sum = u64::from(client) + u64::from(service.to_bits()) + u64::from(service_port);
    // Both ends are IPv4 addresses, so there is a hash.
    let flow = ring::flow((Ipv4Addr::from(client).into(), port), (service.into(), service_port), 6).unwrap_or_default();
    Connection { sum, flow, from, to }
}

fn service(selection: Selection) -> Service {
    Service {
        name: "web".to_owned(),
        address: IpAddr::from(SERVICE.0).into(),
        protocol: Some(6),
        port: Some(SERVICE.1),
        formula: Formula::ThreeTuple,
        selection,
        fragments: Fragments::Pass,
        direction: Direction::Forward,
        sockets: None,
        check: None,
        servers: Vec::new(),
        previous: Vec::new(),
    }
}

fn server(number: u32) -> Server {
    Server {
        address: Ipv4Addr::from(0x0a00_0001 + number).into(),
        mac: ServerMac::Unresolved,
        vlan: None,
        weight: 1,
        state: State::Up,
        health: Health::default(),
    }
}

const fn previous(server: &Server) -> PreviousServer {
    PreviousServer { address: server.address, mac: None, weight: server.weight, idle: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_connections_at_any_time() {
        for mean in [0.5, 5.0] {
            let all = connections(mean, 7);
            let time: f64 = all.crossing.iter().map(|connection| connection.to - connection.from).sum();
            let concurrent = (time + all.others_time) / SECONDS;
            assert!((11_700.0..12_300.0).contains(&concurrent), "mean {mean}: {concurrent}");
            let begun = f64::from(all.others) + all.crossing.len() as f64;
            let expected = f64::from(CONCURRENT) * (1.0 + SECONDS / mean);
            assert!((begun / expected - 1.0).abs() < 0.02, "mean {mean}: {begun} of {expected}");
        }
    }

    #[test]
    fn files_name_all_servers_that_there_were() {
        let epochs = epochs(Selection::Modulo, 3);
        let lists: Vec<_> = epochs.iter().map(|epoch| epoch.file.rankings.lists.len()).collect();
        assert_eq!(lists, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9]);
        let known: Vec<_> = epochs.iter().map(|epoch| epoch.file.universe.len()).collect();
        assert_eq!(known[..4], [24, 26, 28, 30]);
        assert!(known[4..].iter().all(|known| *known == 30), "{known:?}");
    }
}
