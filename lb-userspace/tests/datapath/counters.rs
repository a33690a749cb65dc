//! A server's counter and the tally of what it was sent lately are one number to whoever reads them.

use std::thread;

use lb_common::table::{Counter, PackedCounter};
use lb_userspace::datapath::store::{counters::ServerCounters, maps::Mapped, pins::Pins};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::*;

/// Packets of small and usual frames after which a tally is full.
const FULL: u64 = 512;

/// Bytes of a small frame, and of one that fills the interface.
const LENGTHS: [usize; 2] = [66, 1_514];

/// The same of frames in several buffers, and after how many the bytes fill the tally, which holds less than 2^21.
const LONG: [(usize, u64); 2] = [(9_000, 234), (65_000, 33)];

/// Its counter's name.
const SERVER: &str = "server 10.0.0.1 of web";

/// The server is this host, which leaves the frame as it is: so all repeats of a test run are alike.
const WEB_HERE: &str = "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 443\n\
    [[service.server]]\naddress = \"10.0.0.1\"\n";

fn frame(length: usize) -> Vec<u8> {
    let mut payload = ports(7, 443).to_vec();
    payload.resize(length - 34, 0);
    to_service(WEB, TCP, &payload)
}

fn server(bench: &Bench) -> Counter {
    let counters = bench.counters();
    assert_eq!(counters["service web"], counters[SERVER]);
    counters[SERVER]
}

/// Every packet on both sides of the moment when a tally is carried, and that twice.
#[test]
fn nothing_is_lost_when_a_tally_is_full() {
    need_root!();
    for length in LENGTHS {
        fills(&Bench::new(WEB_HERE), length, FULL);
    }
    for (length, full) in LONG {
        fills(&Bench::jumbo(WEB_HERE), length, full);
    }
}

fn fills(bench: &Bench, length: usize, full: u64) {
    let frame = frame(length);
    let mut packets = 0;
    let mut send = |times: u64| {
        bench.repeat(&frame, times as u32);
        packets += times;
        assert_eq!(server(bench), Counter { packets, bytes: packets * length as u64 }, "{length} bytes");
    };
    // Test runs would else be on either of several CPUs, each of which has a tally of its own.
    stay_on(allowed_cpus()[0]);
    for _ in 0..2 {
        send(full - 2);
        assert_ne!(tallied(bench), Counter::default());
        send(1);
        assert_eq!(tallied(bench).packets, full - 1);
        send(1);
        assert_eq!(tallied(bench), Counter::default());
    }
    (0..full + 2).for_each(|_| send(1));
    send(1 << 20);
}

/// What the server's tallies hold.
fn tallied(bench: &Bench) -> Counter {
    let tallies = Mapped::<PackedCounter>::open_table(&Pins::new(bench.modlb.instance()), "TALLIES").unwrap();
    let mut sum = Counter::default();
    tallies.read(0, tallies.len()).into_iter().for_each(|tally| sum += tally.counter());
    sum
}

/// What a host sends may be cut into so many frames behind the program that a tally holds them no more, or hardly.
#[test]
fn packets_that_become_many_frames() {
    need_root!();
    let name = "server 10.0.0.11 of web";
    let bench = Bench::with("", &format!("role = \"steer\"\n{}", service("web", WEB, HTTPS, 11..12)));
    let reply = ip(WEB.parse().unwrap(), clients(WEB)[0], TCP, &ports(443, 7));
    let frame = steer::sent_by_host(&reply);
    let mut wanted = Counter::default();
    for frames in [1, 2, 44, 510, 511, 512, 513, 1_023, 1_024, 1_025, 2_048, 65_535, 1, 300, 300, 300] {
        bench.run_segments(&frame, frames);
        wanted += Counter { packets: frames.into(), bytes: frame.len() as u64 };
        assert_eq!(bench.counters()[name], wanted, "{frames} frames");
    }
}

/// Whoever reads while a tally is carried finds what there was at some moment: never less than before. As if so many
/// packets had come before, each packet fills the tally.
#[test]
fn readers_never_see_a_tally_twice() {
    const TIMES: u64 = 30_000;
    need_root!();
    let (bench, length) = (Bench::new(WEB_HERE), LENGTHS[0]);
    let pins = Pins::new(bench.modlb.instance());
    let (reader, mut tallies) =
        (ServerCounters::open(&pins).unwrap(), Mapped::<PackedCounter>::open_table(&pins, "TALLIES").unwrap());
    let cpus = allowed_cpus();
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let running = thread::spawn(move || {
        stay_on(first);
        let frame = frame(length);
        bench.repeat(&frame, 1);
        let place = (0..tallies.len()).find(|place| tallies.get(*place) != PackedCounter::default()).unwrap();
        let before = FULL - 1;
        let before = PackedCounter::default().plus(before, before * length as u64).unwrap();
        for _ in 0..TIMES {
            tallies.write(place, &[before]);
            bench.repeat(&frame, 1);
            assert_eq!(tallies.get(place), PackedCounter::default());
        }
        bench
    });
    stay_on(last);
    let (mut last, mut reads) = (Counter::default(), 0_u64);
    while !running.is_finished() {
        // The only server's is the first.
        let now = reader.get(&[0])[0];
        assert!(now.packets >= last.packets, "{now:?} after {last:?}, reading {reads}");
        assert_eq!(now.bytes, now.packets * length as u64);
        (last, reads) = (now, reads + 1);
    }
    // The first packet's tally was written over.
    assert_eq!(server(&running.join().unwrap()).packets, TIMES * FULL);
    assert!(reads > 1_000, "only {reads} reads");
}

fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).collect()
}

/// Test runs are on the CPU of whoever asks for them.
fn stay_on(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
}
