//! How many connections role `keep` keeps while servers come and go, by simulation: arithmetic alone, no packets.
//!
//! The code that decides is that of the product. Every figure is the same in every run.
//!
//! ```text
//! workload     servers that come and go, and connections     chance   numbers by chance
//! simulation   which of them break
//! ```

pub mod chance;
mod simulation;
pub mod workload;

use anyhow::Result;
use lb_common::limits::DEFAULT_RESILIENT_SLOTS;
use lb_userspace::config::model::Selection;

use self::{
    simulation::{Fate, RollOut, fate, lost_in_roll_out},
    workload::{Connections, Epoch, LISTS, connections, epochs},
};
use crate::{
    interrupt,
    options::Options,
    progress::Progress,
    result::{Group, Row, Target},
};

/// Mean lengths of connections, in seconds. With the first, plain hashing breaks about the share that it breaks in the
/// published run.
const LENGTHS: [(f64, &str); 3] = [(0.018, "18 ms"), (1.0, "1 s"), (10.0, "10 s")];

const SELECTIONS: [(Selection, &str); 2] =
    [(Selection::Modulo, "% N"), (Selection::Resilient { slots: DEFAULT_RESILIENT_SLOTS }, "resilient")];

const ROLL_OUTS: [(RollOut, &str); 3] = [
    (RollOut::ServersFirst, "servers first"),
    (RollOut::BalancersFirst, "balancers first"),
    (RollOut::Together, "at once"),
];

/// The share of requests that daisy chaining with one previous server broke in the published run, in percent (Barbette
/// et al., NSDI 2020, raw data).
const DAISY_CHAINING: Target = Target::AtMost(0.05);

/// The axis of charts of connections of this length.
const AXIS: &str = "previous lists";

/// What is found for one length and selection: by seed, for each number of lists and each way of rolling out.
#[derive(Default)]
struct Found {
    without: Vec<f64>,
    with: [Vec<Fate>; LISTS + 1],
    roll_outs: [Vec<f64>; ROLL_OUTS.len()],
}

/// Simulates this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let seeds = if options.quick { 1 } else { 5 };
    let mut rows = Vec::new();
    for (mean, length) in LENGTHS {
        progress.step(format!("keep: connections of {length}"));
        let mut found = SELECTIONS.map(|_| Found::default());
        for seed in 0..seeds {
            let connections = connections(mean, seed);
            for ((selection, _), found) in SELECTIONS.iter().zip(&mut found) {
                found.add(&epochs(*selection, seed), &connections, seed)?;
            }
            progress.done(seed as usize + 1, seeds as usize);
        }
        for ((_, selection), found) in SELECTIONS.iter().zip(&found) {
            rows.extend(found.rows(selection, length));
        }
    }
    Ok(rows)
}

impl Found {
    fn add(&mut self, epochs: &[Epoch], connections: &Connections, seed: u64) -> Result<()> {
        self.without.push(fate(epochs, connections, None).broken);
        for (lists, fates) in self.with.iter_mut().enumerate() {
            interrupt::check()?;
            fates.push(fate(epochs, connections, Some(lists)));
        }
        for ((roll_out, _), shares) in ROLL_OUTS.iter().zip(&mut self.roll_outs) {
            shares.push(lost_in_roll_out(epochs, connections, *roll_out, seed));
        }
        Ok(())
    }

    fn rows(&self, selection: &str, length: &str) -> Vec<Row> {
        let row = |name: &str, unit: &str, seeds: &[f64]| {
            Row::new(Group::Keep, format!("{selection}, connections of {length}: {name}"), unit, seeds)
        };
        let mut rows = vec![row("broken without keep", "%", &self.without)];
        for (lists, fates) in self.with.iter().enumerate() {
            let broken: Vec<_> = fates.iter().map(|fate| fate.broken).collect();
            let broken = row(&format!("broken, previous lists: {lists}"), "%", &broken);
            let broken = broken.with_point(&format!("{AXIS}, connections of {length}"), lists as f64, selection);
            rows.push(if (length, lists) == (LENGTHS[0].1, 1) { broken.with_target(DAISY_CHAINING) } else { broken });
        }
        for lists in [1, 4, LISTS] {
            let hand_ons: Vec<_> = self.with[lists].iter().map(|fate| fate.hand_ons).collect();
            rows.push(row(&format!("extra frames for each packet, previous lists: {lists}"), "frames", &hand_ons));
        }
        for ((_, name), shares) in ROLL_OUTS.iter().zip(&self.roll_outs) {
            rows.push(row(&format!("broken by rolling out {name}, half of the others late"), "%", shares));
        }
        rows
    }
}
