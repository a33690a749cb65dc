//! The program and the oracle side by side.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::outcome::Outcome;
use lb_userspace::config::{
    file,
    model::{Config, Role},
};

use crate::{
    judge::{Judge, Verdict},
    support::bench::Bench,
};

/// Packets and bytes.
type Traffic = (u64, u64);

/// The program under test, and what it should have counted.
pub struct Subject {
    bench: Bench,
    judge: Judge,
    expected: BTreeMap<String, Traffic>,
    outcomes: BTreeMap<Outcome, u64>,
    frames: Vec<Vec<u8>>,
}

impl Subject {
    pub fn new(role: Role) -> Self {
        let judge = Judge::new(Config { role, ..Config::default() });
        Self {
            bench: Bench::new(&format!("role = \"{}\"", role.name())),
            judge,
            expected: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            frames: Vec::new(),
        }
    }

    pub const fn configuration(&self) -> &Config {
        &self.judge.config
    }

    /// Puts a configuration in force. What is counted from now on is counted from zero.
    pub fn configure(&mut self, config: Config) {
        // In between there is none, so that no server keeps a counter.
        self.bench.apply("");
        self.bench.apply(&file::write(&config));
        self.judge = Judge::new(config);
        self.expected = self.found();
        self.frames.clear();
    }

    /// Gives a frame to both.
    pub fn run(&mut self, frame: &[u8], seed: u64) {
        let expected = self.judge.judge(frame);
        let (action, out) = self.bench.run(frame);
        if (action, &out) != (expected.action, &expected.frame) {
            self.report(frame, seed);
        }
        *self.outcomes.entry(expected.outcome).or_default() += 1;
        self.count(&expected, frame.len() as u64);
        self.frames.push(frame.to_vec());
    }

    fn count(&mut self, verdict: &Verdict, bytes: u64) {
        let mut names = vec![format!("outcome {}", verdict.outcome)];
        if let Some((service, server)) = verdict.server {
            let service = &self.judge.config.services[service];
            names.push(format!("service {}", service.name));
            names.push(format!("server {} of {}", service.servers[server].address, service.name));
        }
        for name in names {
            let counter = self.expected.entry(name).or_default();
            *counter = (counter.0 + 1, counter.1 + bytes);
        }
    }

    fn found(&self) -> BTreeMap<String, Traffic> {
        self.bench.counters().into_iter().map(|(name, counter)| (name, (counter.packets, counter.bytes))).collect()
    }

    /// Every counter, after all frames of a configuration.
    pub fn compare_counters(&mut self, seed: u64) {
        if self.found() == self.expected {
            return;
        }
        // One of them was counted wrongly: run them again, one by one.
        for frame in std::mem::take(&mut self.frames) {
            self.expected = self.found();
            let verdict = self.judge.judge(&frame);
            self.bench.run(&frame);
            self.count(&verdict, frame.len() as u64);
            if self.found() != self.expected {
                self.report(&frame, seed);
            }
        }
        panic!("counters differ, but not for any frame alone (seed {seed})");
    }

    /// Whether both agree on a frame in everything.
    fn agree(&self, frame: &[u8]) -> bool {
        let before = self.found();
        let expected = self.judge.judge(frame);
        let (action, out) = self.bench.run(frame);
        let moved: BTreeSet<String> = self
            .found()
            .into_iter()
            .filter(|(name, now)| before.get(name) != Some(now))
            .map(|(name, _)| name)
            .collect();
        (action, &out) == (expected.action, &expected.frame) && moved.contains(&format!("outcome {}", expected.outcome))
    }

    /// Makes the frame as small as it gets, and fails with both answers.
    fn report(&self, frame: &[u8], seed: u64) -> ! {
        let small = self.shrink(frame);
        let (action, out) = self.bench.run(&small);
        panic!(
            "the datapath and the oracle differ (seed {seed})\n\nframe, {} bytes:\n{}\noracle: {:?}\n\ndatapath: action {action}, frame:\n{}\nconfiguration:\n{}",
            small.len(),
            dump(&small),
            self.judge.judge(&small),
            dump(&out),
            file::write(&self.judge.config)
        );
    }

    /// Cuts and zeroes what does not matter to the difference.
    fn shrink(&self, frame: &[u8]) -> Vec<u8> {
        let mut small = frame.to_vec();
        loop {
            let before = small.clone();
            while small.len() > 14 && !self.agree(&small[..small.len() - 1]) {
                small.pop();
            }
            for place in 0..small.len() {
                let mut zeroed = small.clone();
                zeroed[place] = 0;
                if zeroed != small && !self.agree(&zeroed) {
                    small = zeroed;
                }
            }
            if small == before {
                return small;
            }
        }
    }

    /// How many packets came to each outcome.
    pub fn met(&self) -> String {
        let met: Vec<_> = self.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        met.join(", ")
    }

    /// A comparison that never met some outcome proves nothing about it.
    pub fn assert_everything_was_met(&self) {
        let elsewhere: &[_] = match self.judge.config.role {
            Role::Member => &[Outcome::Standby, Outcome::Answered, Outcome::Forwarded, Outcome::Local],
            Role::Balancer | Role::Steer => &[Outcome::Standby, Outcome::Answered, Outcome::Accepted, Outcome::Others],
        };
        for outcome in Outcome::ALL.iter().filter(|outcome| !elsewhere.contains(outcome)) {
            assert!(self.outcomes.contains_key(outcome), "no packet was {outcome}");
        }
    }
}

/// Sixteen bytes to a line.
fn dump(bytes: &[u8]) -> String {
    let line = |(number, bytes): (usize, &[u8])| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("  {:04x}  {}\n", number * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}
