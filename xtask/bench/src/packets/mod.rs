//! Packets per second from end to end, on one CPU.
//!
//! Trap: absolute figures mean little, since a veth is no network card: they include the cost of the veth, the
//! generator and the sink. All ways to forward get the same frames and the same sink, so their own cost is compared,
//! with smaller ratios than without that overhead.

mod check;
mod cpus;
mod kernel;
mod path;
mod rate;
mod stream;
mod way;

use std::{path::Path as FilePath, process::Command};

use anyhow::Result;

use self::{
    path::Path,
    rate::{count, length, rate, ratios},
    way::Way,
};
pub use self::{
    stream::Stream,
    way::{SERVERS, one_service},
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

/// The same where packets leave by another interface.
const REDIRECT: Target = Target::AtLeast(0.90);

/// The multiples of other ways' rates that modlb must reach.
const NFTABLES: Target = Target::AtLeast(2.8);
const ECMP: Target = Target::AtLeast(3.6);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for family in [Family::V4, Family::V6] {
        rows.extend(measure(family, options, progress)?);
    }
    rows.extend(cpus::run(options, progress)?);
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
    let tables = Way::ALL.map(|way| (way, way.table(family)));
    let many = Table::usual(family, Kind::Port);
    let mut subjects = Vec::new();
    for (way, table) in tables.into_iter().chain([(Way::Floor, many), (Way::Native, many)]) {
        interrupt::check()?;
        progress.step(format!("packets: {}: setting up {}", family.name(), way.name()));
        let mut path = Path::new(way, table, &options.modlb)?;
        check::check(&mut path)?;
        subjects.push(Subject { path, rates: Vec::new() });
    }
    let (rounds, time) = length(options);
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

fn rows(family: Family, subjects: &[Subject]) -> Vec<Row> {
    let of = |way: Way, services: u32| {
        let found = subjects
            .iter()
            .find(|subject| subject.path.way == way && (subject.path.table.services > 1) == (services > 1));
        found.map_or(&[][..], |subject| &subject.rates)
    };
    let row = |what: &str, rates: &[f64]| Row::new(Group::Packets, format!("{} {what}", family.name()), "Mpps", rates);
    let [floor, native, generic, nftables, ecmp, redirect, two_armed, route, transit] = Way::ALL.map(|way| of(way, 1));
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
        row("bare redirect, two interfaces", redirect).with_ratio("MAC rewrite", &ratios(redirect, floor)),
        row(&format!("modlb, two interfaces, {one}"), two_armed)
            .with_ratio("bare redirect", &ratios(two_armed, redirect))
            .with_target(REDIRECT),
        row("routed by the kernel, two interfaces", route).with_ratio("MAC rewrite", &ratios(route, floor)),
        row("transit: the same with modlb attached", transit).with_ratio("without modlb", &ratios(transit, route)),
    ]
}
