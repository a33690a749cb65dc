//! How many connections break on real servers while servers come and go: the simulation's workload with real sockets.
//!
//! Time passes at half the simulation's speed, as one machine stands for all hosts. Only the relation of steps to
//! lengths counts.
//!
//! ```text
//! site        clients, a balancer, 30 servers     visitors    connections that come and go
//! echo        the servers' programs               knowledge   what servers know of lists
//! ```

pub mod echo;
mod knowledge;
mod site;
mod visitors;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use lb_common::limits::DEFAULT_RESILIENT_SLOTS;
use lb_userspace::config::model::Selection;

use self::{
    knowledge::Knowledge,
    site::Site,
    visitors::{Fate, Load, Visitors},
};
use crate::{
    interrupt,
    keep::workload::{EPOCH, LISTS, lists},
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
};

/// How much slower than in the simulation time passes.
const SLOWNESS: f64 = 2.0;

/// The mean length of connections in the simulation's time.
const MEAN: f64 = 1.0;

/// The seed of the servers that come and go.
const SEED: u64 = 0;

/// The runs of one selection.
const RUNS: [Knowledge; 5] =
    [Knowledge::WITHOUT, Knowledge::of(1), Knowledge::of(4), Knowledge::ALL, Knowledge::ANNOUNCED];
const QUICK_RUNS: [Knowledge; 2] = [Knowledge::WITHOUT, Knowledge::ANNOUNCED];

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let (visitors, runs) = if options.quick { (1_200, &QUICK_RUNS[..]) } else { (12_000, &RUNS[..]) };
    let mut rows = Vec::new();
    let selections =
        [(Selection::Modulo, "% N"), (Selection::Resilient { slots: DEFAULT_RESILIENT_SLOTS }, "resilient")];
    for (selection, name) in selections {
        for knowledge in runs {
            let name = format!("{name}, {visitors} connections of {MEAN} s, {}", knowledge.name());
            progress.step(format!("servers: {name}"));
            let site = Site::new(&options.modlb, selection, *knowledge)?;
            let fate = workload(&site, visitors, progress)?;
            let row = |what, share| Row::new(Group::Servers, format!("{name}: {what}"), "%", &[share]);
            let broken = row("broken", fate.broken);
            let refused = row("refused", fate.refused);
            let none = Target::AtMost(0.0);
            rows.push(if knowledge.lists == Some(LISTS) { broken.with_target(none) } else { broken });
            rows.push(if knowledge.announced { refused.with_target(none) } else { refused });
        }
    }
    Ok(rows)
}

/// What becomes of connections.
fn workload(site: &Site, count: usize, progress: &mut Progress) -> Result<Fate> {
    let epoch = Duration::from_secs_f64(EPOCH * SLOWNESS);
    let load = Load { count, mean: MEAN * SLOWNESS };
    let lists = lists(SEED);
    let visitors = Visitors::start(site, load)?;
    let start = Instant::now();
    for step in 1..=lists.len() {
        while start.elapsed() < epoch * step as u32 {
            interrupt::check()?;
            thread::sleep(Duration::from_millis(20));
        }
        progress.done(step, lists.len());
        if step < lists.len() {
            site.apply(&lists, step)?;
        }
    }
    visitors.finish()
}
