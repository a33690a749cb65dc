//! The program and the oracle, compared frame by frame.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use lb_userspace::config::{
    file,
    model::{Config, Role},
};

use crate::{
    judge::{Judge, Verdict},
    outcome::Outcome,
    support::bench::Bench,
};

/// Packets and bytes, by the counter's name.
type Counted = BTreeMap<String, (u64, u64)>;

/// The program under test, and what it should have counted.
pub struct Subject {
    bench: Bench,
    judge: Judge,
    expected: Counted,
    met: Met,
    frames: Vec<Vec<u8>>,
    seed: u64,
}

/// What a comparison has met: it proves nothing about anything else.
#[derive(Default)]
struct Met {
    outcomes: BTreeMap<Outcome, u64>,
    numbers_of_slots: BTreeSet<u32>,
}

/// What became of a frame.
#[derive(Eq, PartialEq)]
struct Answer {
    action: u32,
    frame: Vec<u8>,
    counted: Counted,
}

impl Subject {
    pub fn new(role: Role, bench: Bench) -> Self {
        Self {
            bench,
            judge: Judge::new(Config { role, ..Config::default() }),
            expected: Counted::new(),
            met: Met::default(),
            frames: Vec::new(),
            seed: 0,
        }
    }

    pub const fn configuration(&self) -> &Config {
        &self.judge.config
    }

    /// Puts a configuration in force, with all counters at zero. The seed that led to it is only for messages.
    pub fn configure(&mut self, config: Config, seed: u64) {
        // An empty configuration in between, so that no server keeps a counter.
        self.bench.apply("empty = true");
        self.bench.apply(&file::write(&config));
        self.met.numbers_of_slots.extend(config.services.iter().map(|service| service.n()));
        self.judge = Judge::new(config);
        self.expected = self.found();
        self.frames.clear();
        self.seed = seed;
    }

    /// Gives both a frame.
    pub fn run(&mut self, frame: &[u8]) {
        let expected = self.judge.judge(frame);
        let (action, out) = self.bench.run(frame);
        if (action, &out) != (expected.action, &expected.frame) {
            self.report(frame);
        }
        *self.met.outcomes.entry(expected.outcome).or_default() += 1;
        let names = self.counters(&expected);
        count(&mut self.expected, names, frame);
        self.frames.push(frame.to_vec());
    }

    /// The counters that a verdict changes.
    fn counters(&self, verdict: &Verdict) -> Vec<String> {
        let mut names = vec![format!("outcome {}", verdict.outcome)];
        if let Some((service, server)) = verdict.server {
            let service = &self.judge.config.services[service];
            names.push(format!("service {}", service.name));
            names.push(format!("server {} of {}", service.servers[server].address, service.name));
        }
        names
    }

    fn found(&self) -> Counted {
        self.bench.counters().into_iter().map(|(name, counter)| (name, (counter.packets, counter.bytes))).collect()
    }

    /// Compares every counter after all frames of a configuration.
    pub fn compare_counters(&mut self) {
        if self.found() == self.expected {
            return;
        }
        // A frame was counted wrongly: run them again, one by one.
        if let Some(frame) = self.frames.iter().find(|frame| !self.agree(frame)) {
            self.report(frame);
        }
        panic!("counters differ, but not for any frame alone (seed {})", self.seed);
    }

    fn by_the_oracle(&self, frame: &[u8]) -> Answer {
        let verdict = self.judge.judge(frame);
        let mut counted = Counted::new();
        count(&mut counted, self.counters(&verdict), frame);
        Answer { action: verdict.action, frame: verdict.frame, counted }
    }

    fn by_the_datapath(&self, frame: &[u8]) -> Answer {
        let before = self.found();
        let (action, out) = self.bench.run(frame);
        let mut counted = self.found();
        for (name, (packets, bytes)) in before {
            let now = counted.entry(name).or_default();
            *now = (now.0.wrapping_sub(packets), now.1.wrapping_sub(bytes));
        }
        counted.retain(|_, moved| *moved != (0, 0));
        Answer { action, frame: out, counted }
    }

    /// Whether both agree on everything about a frame.
    fn agree(&self, frame: &[u8]) -> bool {
        self.by_the_oracle(frame) == self.by_the_datapath(frame)
    }

    /// Shrinks the frame as far as possible, and fails with both answers.
    fn report(&self, frame: &[u8]) -> ! {
        let small = self.shrink(frame);
        panic!(
            "the datapath and the oracle differ (seed {})\n\nframe, {} bytes:\n{}\noracle: {}\ndatapath: {}\nconfiguration:\n{}",
            self.seed,
            small.len(),
            dump(&small),
            self.by_the_oracle(&small),
            self.by_the_datapath(&small),
            file::write(&self.judge.config)
        );
    }

    /// Cuts and zeroes bytes that do not matter for the difference.
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

    /// How many packets had each outcome.
    pub fn met(&self) -> String {
        let met: Vec<_> = self.met.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        met.join(", ")
    }

    /// A comparison that never met some outcome proves nothing about it.
    pub fn assert_every_outcome_was_met(&self) {
        let elsewhere: &[_] = match self.judge.config.role {
            Role::Member => &[Outcome::Forwarded, Outcome::Local, Outcome::Loop],
            Role::Balancer | Role::Steer | Role::Keep => &[Outcome::Accepted, Outcome::Others],
        };
        for outcome in Outcome::ALL.iter().filter(|outcome| !elsewhere.contains(outcome)) {
            assert!(self.met.outcomes.contains_key(outcome), "no packet was {outcome}");
        }
    }

    /// Nor does one that never met the smallest and the largest N prove anything about them.
    pub fn assert_n_was(&self, numbers: &[u32]) {
        for n in numbers {
            assert!(self.met.numbers_of_slots.contains(n), "N was never {n}");
        }
    }
}

fn count(counted: &mut Counted, names: Vec<String>, frame: &[u8]) {
    for name in names {
        let counter = counted.entry(name).or_default();
        *counter = (counter.0 + 1, counter.1 + frame.len() as u64);
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "action {}, frame:\n{}counted:", self.action, dump(&self.frame))?;
        self.counted
            .iter()
            .try_for_each(|(name, (packets, bytes))| writeln!(f, "  {name}: {packets} packets, {bytes} bytes"))
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
