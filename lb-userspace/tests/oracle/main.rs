//! The loaded program against a second implementation of everything that it does: written only from the design, with
//! big integers and etherparse's headers, and without any code of the datapath or of slot tables.

#[path = "../support/mod.rs"]
mod support;

mod combinations;
mod compare;
mod config;
mod frames;
mod judge;
mod outcome;
mod packet;
mod random;
mod tables;

use std::{
    env,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use combinations::Way;
use compare::Subject;
use lb_userspace::config::{
    file,
    model::{Config, Role},
};
use random::Random;
use support::bench::Bench;

/// How many packets are compared unless `MODLB_ORACLE_PACKETS` sets another number.
const PACKETS: u64 = 1_000_000;

/// How many of them for each configuration.
const PER_CONFIGURATION: u64 = 4_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}: {text} is not a number")))
}

/// Prints a line even if the test runner captures output.
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
    let mut subject = Subject::new(role, Bench::new(&format!("role = \"{}\"", role.name())));
    let Some(minutes) = number("MODLB_ORACLE_MINUTES") else {
        compare(&mut subject, seed, packets, frames::any);
        subject.assert_every_outcome_was_met();
        if packets >= PACKETS {
            subject.assert_n_was(&[0, 1, config::MAX_N]);
        }
        return;
    };
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    while Instant::now() < end {
        compare(&mut subject, seed, packets, frames::any);
        seed += 1;
    }
}

/// The program for several buffers is the same code with other bounds, so a tenth of the packets suffices, some of them
/// long.
#[test]
fn the_program_for_several_buffers_does_what_the_oracle_says() {
    need_root!();
    let packets = number("MODLB_ORACLE_PACKETS").unwrap_or(PACKETS) / 10;
    let mut subject = Subject::new(Role::Balancer, Bench::jumbo(""));
    compare(&mut subject, number("MODLB_ORACLE_SEED").unwrap_or(1), packets, frames::any_length);
    // A shorter run may not meet every outcome.
    if packets >= PACKETS / 10 {
        subject.assert_every_outcome_was_met();
    }
}

/// Compares this many packets, chosen by a seed.
fn compare(subject: &mut Subject, seed: u64, packets: u64, frame: impl Fn(&mut Random, &Config) -> Vec<u8>) {
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut compared = 0;
    while compared < packets {
        let configuration = config::any(&mut random, subject.configuration().role);
        subject.configure(configuration, seed);
        let some = PER_CONFIGURATION.min(packets - compared);
        for _ in 0..some {
            let frame = frame(&mut random, subject.configuration());
            subject.run(&frame);
        }
        compared += some;
        subject.compare_counters();
    }
    let rate = compared as f64 / start.elapsed().as_secs_f64();
    say(&format!("oracle: {compared} packets compared, 0 differences (seed {seed}, {rate:.0} packets/s)"));
    say(&format!("oracle: {}", subject.met()));
}

/// Services of both families: one with a port, one without a port that takes the rest at the same address, and a prefix
/// for other addresses.
const SERVICES: &str = r#"
    [[service]]
    name = "tcp4"
    address = "203.0.113.10"
    protocol = "tcp"
    port = 443
    server = [{ address = "10.0.0.11", mac = "02:00:00:00:00:11" }, { address = "10.0.0.12", mac = "02:00:00:00:00:12" }]

    [[service]]
    name = "icmp4"
    address = "203.0.113.10"
    protocol = "icmp"
    server = [{ address = "10.0.0.13", mac = "02:00:00:00:00:13" }]

    [[service]]
    name = "all4"
    address = "203.0.113.0/24"
    formula = "5-tuple"
    server = [{ address = "10.0.0.14", mac = "02:00:00:00:00:14" }, { address = "10.0.0.15", mac = "02:00:00:00:00:15" }]

    [[service]]
    name = "tcp6"
    address = "2001:db8:f00::10"
    protocol = "tcp"
    port = 443
    server = [{ address = "fd00::11", mac = "02:00:00:00:00:21" }, { address = "fd00::12", mac = "02:00:00:00:00:22" }]

    [[service]]
    name = "udp6"
    address = "2001:db8:f00::10"
    protocol = "udp"
    port = 443
    fragments = "balance"
    server = [{ address = "fd00::13", mac = "02:00:00:00:00:23" }]

    [[service]]
    name = "all6"
    address = "2001:db8:f00::/48"
    formula = "5-tuple"
    server = [{ address = "fd00::14", mac = "02:00:00:00:00:24" }, { address = "fd00::15", mac = "02:00:00:00:00:25" }]
"#;

/// Every combination of headers, whole and truncated at every length; at fewer lengths if `MODLB_ORACLE_PACKETS` asks
/// for fewer packets, and skipped if `MODLB_ORACLE_MINUTES` asks for random packets.
#[test]
fn every_combination_of_headers_at_every_length() {
    need_root!();
    if number("MODLB_ORACLE_MINUTES").is_some() {
        return;
    }
    let each = (PACKETS / number("MODLB_ORACLE_PACKETS").unwrap_or(PACKETS).clamp(1, PACKETS)) as usize;
    let start = Instant::now();
    let mut subject = Subject::new(Role::Balancer, Bench::new(""));
    let way = |client: &str, service: &str| Way {
        client: client.parse().unwrap(),
        service: service.parse().unwrap(),
        port: 443,
    };
    let ways = [way("198.51.100.7", "203.0.113.10"), way("2001:db8::7", "2001:db8:f00::10")];
    let (mut frames, mut packets) = (0_u64, 0_u64);
    for way in ways {
        subject.configure(file::parse(SERVICES).unwrap(), 0);
        combinations::all(way, |frame| {
            frames += 1;
            // The kernel refuses to run programs on less than an Ethernet header.
            let lengths = (14 + frames as usize % each..frame.len()).step_by(each);
            for length in lengths.chain([frame.len()]) {
                packets += 1;
                subject.run(&frame[..length]);
            }
        });
        subject.compare_counters();
    }
    say(&format!(
        "oracle: {frames} combinations of headers, {packets} packets compared, 0 differences ({:.0?})",
        start.elapsed()
    ));
}
