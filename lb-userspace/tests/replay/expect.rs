//! What a replay must find, by the oracle, frame by frame.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use lb_userspace::config::model::{Config, Formula, State};
use serde_json::{Value, json};

use crate::{
    judge::Judge,
    outcome::Outcome,
    packet::{Tuple, read},
    support::frame::GATEWAY,
};

/// A flow: its service, and what the formula counts.
type Flow = (usize, IpAddr, IpAddr, u16, Option<(u16, u8)>);

/// What the oracle says of a capture, shaped as the command shapes it.
pub struct Expected {
    judge: Judge,
    others: Vec<(Option<IpAddr>, Judge)>,
    total: (u64, u64),
    outcomes: BTreeMap<String, (u64, u64)>,
    servers: HashMap<(usize, usize), (u64, u64)>,
    flows: HashMap<Flow, usize>,
    moves: Vec<Moves>,
}

/// What one other configuration would change.
#[derive(Default)]
struct Moves {
    moved: BTreeSet<Flow>,
    of_others: BTreeSet<Flow>,
    unserved: BTreeSet<Flow>,
    packets: [u64; 4],
    anew: u64,
}

impl Expected {
    /// `others`: with the server that is down in it, or none.
    pub fn new(config: &Config, others: &[(Option<IpAddr>, Config)]) -> Self {
        // What a replay cannot meet.
        let never = ["standby", "unreachable", "answered", "kept", "handed_on", "taken_last"];
        let outcomes = Outcome::ALL.iter().map(|outcome| (outcome.name().to_owned(), (0, 0)));
        Self {
            judge: Judge::new(config.clone()),
            others: others.iter().map(|(down, config)| (*down, Judge::new(config.clone()))).collect(),
            total: (0, 0),
            // The oracle knows no balancer that rests.
            outcomes: outcomes.chain(never.map(|name| (name.to_owned(), (0, 0)))).collect(),
            servers: HashMap::new(),
            flows: HashMap::new(),
            moves: others.iter().map(|_| Moves::default()).collect(),
        }
    }

    pub fn frame(&mut self, frame: &[u8]) {
        let bytes = frame.len() as u64;
        let add = |counter: &mut (u64, u64)| *counter = (counter.0 + 1, counter.1 + bytes);
        let verdict = self.judge.judge(frame);
        add(&mut self.total);
        add(self.outcomes.get_mut(verdict.outcome.name()).unwrap());
        let Some((service, server)) = verdict.server else {
            for (moves, (_, other)) in self.moves.iter_mut().zip(&self.others) {
                moves.anew += u64::from(other.judge(frame).server.is_some());
            }
            return;
        };
        add(self.servers.entry((service, server)).or_default());
        let flow = flow(&self.judge.config, service, &read(frame, GATEWAY).unwrap());
        // A flow counts for the server that took its first packet: another balancer of the service may send some of it.
        self.flows.entry(flow).or_insert(server);
        let address =
            |judge: &Judge, (service, server): (usize, usize)| judge.config.services[service].servers[server].address;
        let now = address(&self.judge, (service, server));
        for (moves, (down, other)) in self.moves.iter_mut().zip(&self.others) {
            let then = other.judge(frame).server.map(|server| address(other, server));
            moves.packets[0] += 1;
            if then == Some(now) {
                continue;
            }
            moves.packets[1] += 1;
            moves.moved.insert(flow);
            if *down != Some(now) {
                moves.packets[2] += 1;
                moves.of_others.insert(flow);
            }
            if then.is_none() {
                moves.packets[3] += 1;
                moves.unserved.insert(flow);
            }
        }
    }

    /// The addresses of the two servers with the most packets.
    pub fn busiest(&self) -> [IpAddr; 2] {
        let mut packets: BTreeMap<IpAddr, u64> = BTreeMap::new();
        for ((service, server), counted) in &self.servers {
            *packets.entry(self.judge.config.services[*service].servers[*server].address).or_default() += counted.0;
        }
        let mut ranked: Vec<_> = packets.into_iter().map(|(address, count)| (count, address)).collect();
        ranked.sort_unstable();
        [ranked[ranked.len() - 1].1, ranked[ranked.len() - 2].1]
    }

    /// Asserts that a replay found all of this.
    pub fn assert_found(&self, found: &Value) {
        let traffic = |(packets, bytes): (u64, u64)| json!({"packets": packets, "bytes": bytes});
        assert_eq!((&found["packets"], &found["bytes"]), (&self.total.0.into(), &self.total.1.into()));
        let outcomes = found["outcomes"].as_object().unwrap();
        for (name, counter) in &self.outcomes {
            assert_eq!(outcomes[name], traffic(*counter), "{name}");
        }
        assert_eq!(outcomes.len(), self.outcomes.len());
        let services = found["services"].as_array().unwrap();
        assert_eq!(services.len(), self.judge.config.services.len());
        for (number, (found, service)) in services.iter().zip(&self.judge.config.services).enumerate() {
            assert_eq!(found["name"], service.name);
            let flows = self.flows.keys().filter(|flow| flow.0 == number).count();
            assert_eq!(found["flows"], flows, "{}", service.name);
            self.assert_servers(number, found);
        }
        for (moves, found) in self.moves.iter().zip(found["changes"].as_array().unwrap()) {
            let shape = |[all, moved, others, unserved]: [u64; 4]| json!({"all": all, "moved": moved, "moved_of_others": others, "unserved": unserved});
            let flows = [self.flows.len(), moves.moved.len(), moves.of_others.len(), moves.unserved.len()];
            assert_eq!(found["flows"], shape(flows.map(|count| count as u64)), "{found}");
            assert_eq!(found["packets"], shape(moves.packets), "{found}");
            assert_eq!(found["packets_taken_anew"], moves.anew, "{found}");
        }
    }

    fn assert_servers(&self, service: usize, found: &Value) {
        let config = &self.judge.config.services[service];
        let weights: u32 = config.servers.iter().filter(|s| s.state == State::Up).map(|s| s.weight).sum();
        let counters: Vec<_> = (0..config.servers.len())
            .map(|server| self.servers.get(&(service, server)).copied().unwrap_or_default())
            .collect();
        let packets: u64 = counters.iter().map(|counter| counter.0).sum();
        let bytes: u64 = counters.iter().map(|counter| counter.1).sum();
        assert_eq!((&found["packets"], &found["bytes"]), (&packets.into(), &bytes.into()), "{}", config.name);
        let mut worst: f64 = 0.0;
        for (number, (found, server)) in found["servers"].as_array().unwrap().iter().zip(&config.servers).enumerate() {
            let (some, bytes) = counters[number];
            let flows = self.flows.iter().filter(|(flow, owner)| flow.0 == service && **owner == number).count();
            assert_eq!(found["address"], server.address.to_string());
            assert_eq!(
                (&found["packets"], &found["bytes"], &found["flows"]),
                (&some.into(), &bytes.into(), &flows.into())
            );
            let share = some as f64 / packets.max(1) as f64;
            let fair = if server.state == State::Up { f64::from(server.weight) / f64::from(weights) } else { 0.0 };
            assert!((found["share"].as_f64().unwrap() - share).abs() < 1e-6, "{found}");
            assert!((found["fair_share"].as_f64().unwrap() - fair).abs() < 1e-6, "{found}");
            if fair > 0.0 {
                worst = worst.max(share / fair);
            }
        }
        match found["imbalance"].as_f64() {
            Some(imbalance) => assert!((imbalance - worst).abs() < 1e-5, "{imbalance}, not {worst}"),
            None => assert_eq!(packets, 0),
        }
    }

    /// How many flows there are.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// Outcomes that some frame came to.
    pub fn met(&self) -> usize {
        self.outcomes.values().filter(|counter| counter.0 > 0).count()
    }
}

fn flow(config: &Config, service: usize, tuple: &Tuple) -> Flow {
    let rest = match config.services[service].formula {
        Formula::ThreeTuple => None,
        Formula::FiveTuple => Some((tuple.source_port, tuple.protocol)),
    };
    (service, tuple.source, tuple.destination, tuple.destination_port, rest)
}
