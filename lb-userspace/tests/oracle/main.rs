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

use std::{
    env,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use compare::Subject;
use lb_userspace::config::model::Config;
use random::Random;
use support::bench::Bench;

/// How many packets are compared unless `MODLB_ORACLE_PACKETS` says otherwise.
const PACKETS: u64 = 1_000_000;

/// How many of them for each configuration.
const PER_CONFIGURATION: u64 = 4_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text} is not a number")))
}

/// Says something whether the test runner captures output or not.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// `MODLB_ORACLE_SEED` repeats a run; with `MODLB_ORACLE_MINUTES` runs with fresh seeds follow each other.
#[test]
fn the_datapath_does_what_the_oracle_says() {
    need_root!();
    let packets = number("MODLB_ORACLE_PACKETS").unwrap_or(PACKETS);
    let mut seed = number("MODLB_ORACLE_SEED").unwrap_or(1);
    let mut subject = Subject::new(Bench::new(""));
    let Some(minutes) = number("MODLB_ORACLE_MINUTES") else {
        compare(&mut subject, seed, packets, frames::any);
        return subject.assert_everything_was_met();
    };
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        compare(&mut subject, seed, packets, frames::any);
        seed += 1;
    }
}

/// The program for several buffers is the same code with other bounds; a tenth of the packets will do, some of them long.
#[test]
fn so_does_the_program_for_several_buffers() {
    need_root!();
    let packets = number("MODLB_ORACLE_PACKETS").unwrap_or(PACKETS) / 10;
    let mut subject = Subject::new(Bench::jumbo(""));
    compare(&mut subject, number("MODLB_ORACLE_SEED").unwrap_or(1), packets, frames::any_length);
    // In a shorter run than usual some outcome may not come up.
    if packets >= PACKETS / 10 {
        subject.assert_everything_was_met();
    }
}

/// Compares so many packets, chosen by a seed.
fn compare(subject: &mut Subject, seed: u64, packets: u64, frame: impl Fn(&mut Random, &Config) -> Vec<u8>) {
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut compared = 0;
    while compared < packets {
        let configuration = config::any(&mut random);
        subject.configure(configuration);
        let some = PER_CONFIGURATION.min(packets - compared);
        for _ in 0..some {
            let frame = frame(&mut random, subject.configuration());
            subject.run(&frame, seed);
        }
        compared += some;
        subject.compare_counters(seed);
    }
    let rate = compared as f64 / start.elapsed().as_secs_f64();
    say(&format!("oracle: {compared} packets compared, 0 differences (seed {seed}, {rate:.0} packets/s)"));
    say(&format!("oracle: {}", subject.met()));
}
