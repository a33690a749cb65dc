//! Readers see a server's counter and its packed counter of recent packets as one number.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use lb_common::table::{Counter, PackedCounter};
use lb_userspace::datapath::store::{counters::ServerCounters, maps::Mapped, pins::Pins};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::*;

/// After this many small or ordinary frames a packed counter is full.
const FULL: u64 = 512;

/// Bytes of a small frame, and of one that fills the interface.
const LENGTHS: [usize; 2] = [66, 1_514];

/// Lengths of frames in several buffers, and after how many of them a packed counter is full, which holds less than
/// 2^21 bytes.
const LONG: [(usize, u64); 2] = [(9_000, 234), (65_000, 33)];

/// The name of the server's counter.
const SERVER: &str = "server 10.0.0.1 of web";

/// The server is this host, so the program does not change the frame and all repeats of a test run are alike.
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

/// Checks every packet around the moment when a packed counter is added to the large one, twice.
#[test]
fn nothing_is_lost_when_a_packed_counter_is_full() {
    need_root!();
    for length in LENGTHS {
        fills(&Bench::new(WEB_HERE), length, FULL);
    }
    for (length, full) in LONG.into_iter().filter(|_| support::several_buffers()) {
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
    // Each CPU has its own packed counter.
    stay_on(allowed_cpus()[0]);
    for _ in 0..2 {
        send(full - 2);
        assert_ne!(packed(bench), Counter::default());
        send(1);
        assert_eq!(packed(bench).packets, full - 1);
        send(1);
        assert_eq!(packed(bench), Counter::default());
    }
    (0..full + 2).for_each(|_| send(1));
    send(1 << 20);
}

/// The sum of the server's packed counters.
fn packed(bench: &Bench) -> Counter {
    let counters = Mapped::<PackedCounter>::open_table(&Pins::new(bench.modlb.instance()), "TALLIES").unwrap();
    let mut sum = Counter::default();
    counters.read(0, counters.len()).into_iter().for_each(|packed| sum += packed.counter());
    sum
}

/// The kernel may segment a sent packet behind the program, into more frames than a packed counter holds.
#[test]
fn a_packet_counts_as_all_frames_that_it_becomes() {
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

/// A reader sees the counter of some moment, never less than before, also while a packed counter is added to the large
/// one. To make that frequent, each packet here meets an almost full packed counter.
#[test]
fn readers_never_count_a_packet_twice() {
    const TIMES: u64 = 30_000;
    const READS: u64 = 1_000;
    need_root!();
    let (bench, length) = (Bench::new(WEB_HERE), LENGTHS[0]);
    let pins = Pins::new(bench.modlb.instance());
    let (reader, mut packed) =
        (ServerCounters::open(&pins).unwrap(), Mapped::<PackedCounter>::open_table(&pins, "TALLIES").unwrap());
    let cpus = allowed_cpus();
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    static READ: AtomicU64 = AtomicU64::new(0);
    let running = thread::spawn(move || {
        stay_on(first);
        let frame = frame(length);
        bench.repeat(&frame, 1);
        let place = (0..packed.len()).find(|place| packed.get(*place) != PackedCounter::default()).unwrap();
        let before = FULL - 1;
        let before = PackedCounter::default().plus(before, before * length as u64).unwrap();
        let mut times = 0;
        // On a busy machine the reader may need longer.
        while times < TIMES || READ.load(Ordering::Relaxed) <= READS {
            packed.write(place, &[before]);
            bench.repeat(&frame, 1);
            assert_eq!(packed.get(place), PackedCounter::default());
            times += 1;
        }
        (bench, times)
    });
    stay_on(last);
    let mut last = Counter::default();
    while !running.is_finished() {
        // The only server's counter is the first.
        let now = reader.get(&[0])[0];
        let reads = READ.fetch_add(1, Ordering::Relaxed);
        assert!(now.packets >= last.packets, "{now:?} after {last:?}, read {reads}");
        assert_eq!(now.bytes, now.packets * length as u64);
        last = now;
    }
    let (bench, times) = running.join().unwrap();
    // The first packet's count was overwritten.
    assert_eq!(server(&bench).packets, times * FULL);
    assert!(READ.load(Ordering::Relaxed) > READS);
}

fn allowed_cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).collect()
}

/// Binds this thread to a CPU; test runs use the CPU of the thread that starts them.
fn stay_on(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
}
