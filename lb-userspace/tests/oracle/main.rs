//! The loaded program against a second implementation of everything that it does: written from the design alone, on big
//! integers and byte slices, sharing no code with the datapath or with the tables' maker.

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod config;
mod frames;
mod judge;
mod packet;
mod random;
mod tables;

use std::{env, time::Instant};

use compare::Subject;
use random::Random;

/// How many packets are compared unless `MODLB_ORACLE_PACKETS` says otherwise.
const PACKETS: u64 = 1_000_000;

/// How many of them for each configuration.
const PER_CONFIGURATION: u64 = 4_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text} is not a number")))
}

/// `MODLB_ORACLE_SEED` repeats a run.
#[test]
fn the_datapath_does_what_the_oracle_says() {
    need_root!();
    let packets = number("MODLB_ORACLE_PACKETS").unwrap_or(PACKETS);
    let seed = number("MODLB_ORACLE_SEED").unwrap_or(1);
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut subject = Subject::new();
    let mut compared = 0;
    while compared < packets {
        let configuration = config::any(&mut random);
        subject.configure(configuration);
        for _ in 0..PER_CONFIGURATION.min(packets - compared) {
            let frame = frames::any(&mut random, subject.configuration());
            subject.run(&frame, seed);
        }
        compared += PER_CONFIGURATION.min(packets - compared);
        subject.compare_counters(seed);
    }
    let seconds = start.elapsed().as_secs_f64();
    // On standard error, which the test runner shows with `--nocapture` and in any case when something differs.
    eprintln!("{compared} packets compared, 0 differences (seed {seed}, {:.0} packets/s)", compared as f64 / seconds);
    subject.assert_everything_was_met();
}
