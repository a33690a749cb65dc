//! The loaded program accepts as the rule for groups says, whatever the configuration and whoever has sockets.

use std::{
    collections::HashSet,
    fs::File,
    net::{IpAddr, SocketAddr, TcpStream},
};

use lb_userspace::{
    config::{
        file,
        model::{Formula, Service},
    },
    decide::keep::ranking::{Entry, NONE, Rankings},
};
use nix::sched::{CloneFlags, setns};
use num_bigint::BigUint;
use socket2::{Domain, Socket, Type};

use crate::{
    need_root,
    oracle::{ACK, EVERYONE, SYN, address, configuration, packet},
    random::Random,
    support::{
        bench::{Bench, XDP_DROP, XDP_PASS},
        frame::{self, ROUTER, TCP},
        network::{SERVICES, client_address},
    },
};

/// Random configurations, and packets for each.
const CONFIGURATIONS: usize = 30;
const PACKETS: usize = 3_400;

/// Clients of each service that have a connection here.
const HOLDING: u8 = 60;

/// Connections between this namespace and itself, and where their clients are.
fn connections() -> (Vec<TcpStream>, HashSet<SocketAddr>) {
    let (mut streams, mut held) = (Vec::new(), HashSet::new());
    for service in SERVICES {
        let to = SocketAddr::new(service, 80);
        let listener = std::net::TcpListener::bind(to).unwrap();
        for number in 0..HOLDING {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
            let from = SocketAddr::new(client_address(service.is_ipv6(), number), 2_000 + u16::from(number));
            socket.bind(&from.into()).unwrap();
            socket.connect(&to.into()).unwrap();
            streams.extend([socket.into(), listener.accept().unwrap().0]);
            held.insert(from);
        }
    }
    (streams, held)
}

/// Random text that names this host in some list.
fn member(random: &mut Random) -> (usize, String) {
    loop {
        let own = 1 + random.below(EVERYONE);
        let text = format!("role = \"member\"\n{}", configuration(random, own));
        let config = file::parse(&text).unwrap();
        let mut servers = config.services.iter().flat_map(|service| &service.servers);
        if servers.any(|server| [false, true].map(|six| address(six, own)).contains(&server.address)) {
            return (own, text);
        }
    }
}

/// What this host knows of a service, by the design alone.
struct View {
    service: Service,
    own: u16,
    rankings: Rankings,
}

impl View {
    fn new(service: &Service, own: IpAddr) -> Self {
        let universe: Vec<_> = service.servers.iter().map(|server| server.address).collect();
        let own = universe.iter().position(|server| *server == own).map_or(NONE - 1, |place| place as u16);
        let rankings = Rankings::of(service, &universe, &vec![true; universe.len()], &service.takes_flows());
        Self { service: service.clone(), own, rankings }
    }

    /// The entry of each list for a flow.
    fn entries(&self, client: IpAddr, port: u16) -> Vec<Entry> {
        let number = |address| match address {
            IpAddr::V4(address) => BigUint::from(address.to_bits()),
            IpAddr::V6(address) => BigUint::from(address.to_bits()),
        };
        let mut sum = number(client) + number(self.service.address.addr()) + BigUint::from(80_u32);
        if self.service.formula == Formula::FiveTuple {
            sum += BigUint::from(u32::from(port) + u32::from(TCP));
        }
        let slot = |slots: u32| (&sum % BigUint::from(slots)).iter_u32_digits().next().unwrap_or(0) as usize;
        self.rankings.lists.iter().map(|list| list.entries[slot(list.slots)]).collect()
    }

    /// The outcome of a packet.
    fn outcome(&self, entries: &[Entry], syn: bool, held: bool) -> &'static str {
        let owner = entries[0][0];
        let others = if owner == NONE { "no_server" } else { "others" };
        match (owner == self.own, syn) {
            (true, true) => "accepted",
            (false, true) => others,
            (true, false) if held || !self.is_elsewhere(entries) => "accepted",
            (false, false) if held => "kept",
            (_, false) => others,
        }
    }

    /// Whether another member may hold the connection.
    fn is_elsewhere(&self, entries: &[Entry]) -> bool {
        let (now, then) = entries.split_first().unwrap();
        let is_down = |server: &u16| *server != NONE && self.service.servers[usize::from(*server)].is_down();
        let draining = now[1..4].iter().chain(then.iter().map(|entry| &entry[1])).filter(|server| is_down(server));
        let owners = then.iter().map(|entry| &entry[0]).filter(|server| **server != NONE);
        draining.chain(owners).any(|server| *server != self.own)
    }
}

#[test]
fn the_program_accepts_as_the_rule_says() {
    need_root!();
    let mut random = Random::new(20_261_201);
    let bench = Bench::with("--mode generic --max-slots 400000", &member(&mut random).1);
    // Sockets are looked up where the thread is.
    setns(File::open(bench.gateway.path()).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
    bench.gateway.ip("link set lo up");
    for service in SERVICES {
        let clients = (0..HOLDING).map(|number| client_address(service.is_ipv6(), number));
        for address in clients.chain([service]) {
            bench.gateway.ip(&format!("addr add {address} dev lo"));
        }
    }
    let (_streams, held) = connections();
    let mut met = std::collections::BTreeMap::new();
    for round in 0..CONFIGURATIONS {
        let (own, text) = member(&mut random);
        bench.apply(&text);
        let config = file::parse(&text).unwrap();
        let view = |service: &Service| View::new(service, address(service.address.addr().is_ipv6(), own));
        let views: Vec<_> = config.services.iter().map(view).collect();
        for number in 0..PACKETS {
            let view = &views[random.below(2)];
            let to = view.service.address.addr();
            let client = random.below(100) as u8;
            let port =
                if random.below(2) == 0 { 2_000 + u16::from(client) } else { 1_024 + random.below(60_000) as u16 };
            let flags = if random.below(4) == 0 { SYN } else { ACK };
            let from = SocketAddr::new(client_address(to.is_ipv6(), client), port);
            let frame = packet(from.ip(), to, port, flags, 64, ROUTER);
            let outcome = view.outcome(&view.entries(from.ip(), port), flags == SYN, held.contains(&from));
            *met.entry(outcome).or_insert(0_usize) += 1;
            let accepts = matches!(outcome, "accepted" | "kept");
            let wanted = if accepts { frame::addressed_to(frame::GATEWAY, &frame) } else { frame.clone() };
            let action = if accepts { XDP_PASS } else { XDP_DROP };
            let counted = |outcome: &str| bench.counters()[&format!("outcome {outcome}")].packets;
            // Reading all counters takes longer than the packet.
            let before = (number % 16 == 0).then(|| counted(outcome));
            let what = || format!("round {round}: {outcome}, flags {flags}, {from} → {to}, this is {own}\n{text}");
            assert_eq!(bench.run(&frame), (action, wanted), "{}", what());
            if let Some(before) = before {
                assert_eq!(counted(outcome), before + 1, "{}", what());
            }
        }
    }
    println!("{met:?}");
    assert!(["accepted", "kept", "others"].iter().all(|outcome| met[outcome] > PACKETS / 4), "{met:?}");
}
