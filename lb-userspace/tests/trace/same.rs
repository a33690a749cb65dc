//! The tracing programs do the same to packets as the regular ones: verdict, every byte, every counter.

use lb_common::table::Counter;
use lb_userspace::config::{
    file,
    model::{Config, Role},
};

use crate::{
    Tracing, config, frames, need_root,
    random::Random,
    support::bench::{Bench, Counters},
};

/// How many configurations, and frames for each.
const CONFIGURATIONS: u32 = 12;
const FRAMES: u32 = 500;

type Answers = (Vec<(u32, Vec<u8>)>, Vec<(String, Counter)>);

/// Gives all frames to the program that is followed: verdicts, frames, and what was counted.
fn answers(bench: &Bench, frames: &[Vec<u8>]) -> Answers {
    let before = bench.counters();
    let answers = frames.iter().map(|frame| bench.run(frame)).collect();
    (answers, moved(&before, &bench.counters()))
}

fn moved(before: &Counters, after: &Counters) -> Vec<(String, Counter)> {
    let moved = after.iter().map(|(name, now)| {
        let was = before.get(name).copied().unwrap_or_default();
        (name.clone(), Counter { packets: now.packets - was.packets, bytes: now.bytes - was.bytes })
    });
    moved.filter(|(_, counter)| counter.packets > 0).collect()
}

fn compare(mut bench: Bench, role: Role, seed: u64, frame: fn(&mut Random, &Config) -> Vec<u8>) {
    let mut random = Random::new(seed);
    let mut outcomes = std::collections::BTreeSet::new();
    for round in 0..CONFIGURATIONS {
        let configuration = config::any(&mut random, role);
        bench.apply("empty = true");
        bench.apply(&file::write(&configuration));
        let frames: Vec<_> = (0..FRAMES).map(|_| frame(&mut random, &configuration)).collect();
        bench.follow_pin();
        let ordinary = answers(&bench, &frames);
        // The reports, by turns: the half that is in force plays no part.
        let how = if round % 2 == 0 { "trace --pcap /dev/null" } else { "logs --level trace --json" };
        let tracing = Tracing::start(&bench.modlb, how);
        bench.follow();
        let traced = answers(&bench, &frames);
        for (index, (ordinary, traced)) in ordinary.0.iter().zip(&traced.0).enumerate() {
            assert_eq!(traced, ordinary, "seed {seed}, round {round}, {how}: frame {:02x?}", frames[index]);
        }
        assert_eq!(traced.1, ordinary.1, "seed {seed}, round {round}, {how}");
        let (_, said) = tracing.end(&bench.modlb);
        assert!(said.contains(&format!("{FRAMES} packets")), "{said}");
        outcomes.extend(ordinary.1.into_iter().map(|(name, _)| name).filter(|name| name.starts_with("outcome")));
    }
    assert!(outcomes.len() >= 6, "only {outcomes:?} were met");
}

#[test]
fn tracing_a_balancer_changes_nothing() {
    need_root!();
    compare(Bench::new(""), Role::Balancer, 1, frames::any);
}

#[test]
fn tracing_a_balancer_with_several_buffers_changes_nothing() {
    need_root!();
    compare(Bench::jumbo(""), Role::Balancer, 2, frames::any_length);
}

#[test]
fn tracing_a_member_changes_nothing() {
    need_root!();
    compare(Bench::new("role = \"member\""), Role::Member, 3, frames::any);
}

#[test]
fn tracing_steer_changes_nothing() {
    need_root!();
    compare(Bench::with("", "role = \"steer\""), Role::Steer, 4, |random, configuration| {
        // The kernel makes no packet of less; Ethernet pads anyway.
        let mut frame = frames::any(random, configuration);
        frame.resize(frame.len().max(64), 0);
        frame
    });
}
