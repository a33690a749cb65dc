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
use lb_userspace::config::model::Role;
use random::Random;

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
    run(Role::Balancer, PACKETS);
}

/// The same for a member of a group.
#[test]
fn a_member_does_what_the_oracle_says() {
    need_root!();
    run(Role::Member, PACKETS / 4);
}

fn run(role: Role, packets: u64) {
    let packets = number("MODLB_ORACLE_PACKETS").unwrap_or(packets);
    let mut seed = number("MODLB_ORACLE_SEED").unwrap_or(1);
    let mut subject = Subject::new(role);
    let Some(minutes) = number("MODLB_ORACLE_MINUTES") else {
        compare(&mut subject, seed, packets);
        return subject.assert_everything_was_met();
    };
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        compare(&mut subject, seed, packets);
        seed += 1;
    }
}

/// Compares so many packets, chosen by a seed.
fn compare(subject: &mut Subject, seed: u64, packets: u64) {
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut compared = 0;
    while compared < packets {
        let configuration = config::any(&mut random, subject.configuration().role);
        subject.configure(configuration);
        let some = PER_CONFIGURATION.min(packets - compared);
        for _ in 0..some {
            let frame = frames::any(&mut random, subject.configuration());
            subject.run(&frame, seed);
        }
        compared += some;
        subject.compare_counters(seed);
    }
    let rate = compared as f64 / start.elapsed().as_secs_f64();
    say(&format!("oracle: {compared} packets compared, 0 differences (seed {seed}, {rate:.0} packets/s)"));
    say(&format!("oracle: {}", subject.met()));
}
