//! Packets per second from end to end, on one CPU.
//!
//! Trap: absolute figures mean little, since a veth is no network card: they include the cost of the veth, the
//! generator and the sink. All ways to forward get the same frames and the same sink, so their own cost is compared,
//! with smaller ratios than without that overhead.

mod check;
mod path;
mod stream;

use std::{path::Path as FilePath, process::Command, thread, time::Duration};

use anyhow::{Result, bail};

use self::path::{Path, Way};
pub use self::{
    path::{SERVERS, one_service},
    stream::Stream,
};
use crate::{
    command::capture,
    frame::Family,
    interrupt,
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
    table::{Kind, Table},
};

/// The fraction of the floor's rate that modlb must reach.
const FLOOR: Target = Target::AtLeast(0.92);

/// The multiples of other ways' rates that modlb must reach.
const NFTABLES: Target = Target::AtLeast(2.8);
const ECMP: Target = Target::AtLeast(3.6);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for family in [Family::V4, Family::V6] {
        rows.extend(measure(family, options, progress)?);
    }
    progress.finish();
    eprintln!("packets: LVS/IPVS is not compared: {}", lvs());
    Ok(rows)
}

/// Why the kernel's own load balancer is not compared.
fn lvs() -> &'static str {
    // Exists once the module is loaded.
    let loaded = FilePath::new("/proc/net/ip_vs").exists();
    let found = || capture(Command::new("modprobe").args(["--dry-run", "--quiet", "ip_vs"])).is_ok();
    if loaded || found() { "this kernel has it, but the comparison is not written yet" } else { "not in this kernel" }
}

/// A way to forward, and its packets per second in each round, in millions.
struct Subject {
    path: Path,
    rates: Vec<f64>,
}

fn measure(family: Family, options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let tables = Way::ALL.map(|way| (way, one_service(family)));
    let many = Table::usual(family, Kind::Port);
    let mut subjects = Vec::new();
    for (way, table) in tables.into_iter().chain([(Way::Floor, many), (Way::Native, many)]) {
        interrupt::check()?;
        progress.step(format!("packets: {}: setting up {}", family.name(), way.name()));
        let mut path = Path::new(way, table, &options.modlb)?;
        check::check(&mut path)?;
        subjects.push(Subject { path, rates: Vec::new() });
    }
    let (rounds, time) = if options.quick { (9, Duration::from_millis(25)) } else { (41, Duration::from_millis(60)) };
    progress.step(format!("packets: {}", family.name()));
    let counts = subjects.iter_mut().map(|subject| count(&mut subject.path, time)).collect::<Result<Vec<_>>>()?;
    for round in 0..rounds {
        progress.done(round, rounds);
        for place in 0..subjects.len() {
            interrupt::check()?;
            // Each round starts with another way, so that none always follows the same one.
            let place = (place + round) % counts.len();
            let rate = rate(&mut subjects[place].path, counts[place])?;
            subjects[place].rates.push(rate);
        }
    }
    Ok(rows(family, &subjects))
}

/// Millions of packets per second, of a stream that arrived whole.
///
/// Trap: when a virtual machine is descheduled for a while, the kernel may leave packets to `ksoftirqd`, which does not
/// run before the real-time generator ends; then a ring overflows. Such a measurement says nothing about the way. It is
/// reported and repeated.
fn rate(path: &mut Path, count: u32) -> Result<f64> {
    const TRIES: usize = 5;
    const SETTLE: Duration = Duration::from_millis(50);
    for _ in 0..TRIES {
        let before = path.wire.arrived()?;
        let time = path.wire.send(&path.stream.load, &path.stream.frame.bytes, count)?;
        let arrived = path.wire.arrived()? - before;
        if arrived == u64::from(count) {
            return Ok(f64::from(count) / time.as_secs_f64() / 1e6);
        }
        eprintln!("{}: {arrived} of {count} packets arrived; measuring again", path.way.name());
        interrupt::check()?;
        thread::sleep(SETTLE);
    }
    bail!("{}: packets were lost in each of {TRIES} measurements", path.way.name())
}

/// How many packets take this long.
fn count(path: &mut Path, time: Duration) -> Result<u32> {
    const FIRST: u32 = 20_000;
    Ok((rate(path, FIRST)? * 1e6 * time.as_secs_f64()) as u32)
}

fn rows(family: Family, subjects: &[Subject]) -> Vec<Row> {
    let of = |way: Way, services: u32| {
        let found = subjects
            .iter()
            .find(|subject| subject.path.way == way && (subject.path.table.services > 1) == (services > 1));
        found.map_or(&[][..], |subject| &subject.rates)
    };
    let row = |what: &str, rates: &[f64]| Row::new(Group::Packets, format!("{} {what}", family.name()), "Mpps", rates);
    let [floor, native, generic, nftables, ecmp] = Way::ALL.map(|way| of(way, 1));
    let one = format!("1 service of {SERVERS} servers");
    let (many_floor, many) = (of(Way::Floor, 2), of(Way::Native, 2));
    vec![
        row(&format!("MAC rewrite, {one}"), floor),
        row(&format!("modlb, {one}"), native).with_ratio("MAC rewrite", &ratios(native, floor)).with_target(FLOOR),
        // Without a target, since the generator's frames take much of the cache; see docs/PERFORMANCE.md.
        row("modlb, 1,000 services of 101 servers", many).with_ratio("MAC rewrite", &ratios(many, many_floor)),
        row(&format!("modlb against nftables, {one}"), native)
            .with_ratio("nftables", &ratios(native, nftables))
            .with_target(NFTABLES),
        row(&format!("modlb against ECMP, {one}"), native).with_ratio("ECMP", &ratios(native, ecmp)).with_target(ECMP),
        row(&format!("modlb generic, {one}"), generic).with_ratio("nftables", &ratios(generic, nftables)),
        row(&format!("nftables, {one}"), nftables).with_ratio("MAC rewrite", &ratios(nftables, floor)),
        row(&format!("ECMP, {one}"), ecmp).with_ratio("MAC rewrite", &ratios(ecmp, floor)),
    ]
}

/// Round by round.
fn ratios(these: &[f64], those: &[f64]) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| this / that).collect()
}
