//! Two CPUs against one: two streams at once through one instance, each on its own CPU and by its own queue, as a
//! network card spreads packets.
//!
//! Trap: two CPUs of a virtual machine may be hyperthreads of one core, whether it says so or not, and then no program
//! gets twice as far. So the floor is measured in the same rounds, and what modlb gains by the second CPU is compared
//! with what the floor gains: they differ by what modlb's programs wait for each other.

use anyhow::Result;

use crate::{
    cpu::{self, Cores},
    frame::Family,
    interrupt,
    options::Options,
    packets::{
        check,
        path::Path,
        rate::{count, length, rate_from, ratios},
        way::Way,
    },
    progress::Progress,
    result::{Group, Row, Target},
    wire::Wire,
};

/// The fraction of the floor's gain that modlb must reach: 1.9 where the floor doubles.
const GAIN: Target = Target::AtLeast(0.95);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let Some((cpus, cores)) = cpu::pair() else {
        progress.finish();
        eprintln!("packets: two CPUs are not compared with one: there is only one");
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for family in [Family::V4, Family::V6] {
        rows.extend(measure(family, cpus, options, progress)?);
    }
    progress.finish();
    if cores == Cores::One {
        eprintln!("packets: CPUs {} and {} are hyperthreads of one core", cpus[0], cpus[1]);
    }
    Ok(rows)
}

/// A way to forward, and its packets per second in each round, in millions.
struct Subject {
    path: Path,
    count: u32,
    /// The mean of both CPUs, each alone.
    alone: Vec<f64>,
    together: Vec<f64>,
}

fn measure(family: Family, cpus: [usize; 2], options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let (rounds, time) = length(options);
    let mut subjects = Vec::new();
    for way in [Way::Floor, Way::Native] {
        interrupt::check()?;
        progress.step(format!("packets: {}: setting up {} for two CPUs", family.name(), way.name()));
        let wire = Wire::with_queues("cpus", &cpus)?;
        let mut path = Path::on(wire, way, way.table(family), &options.modlb)?;
        check::check(&mut path)?;
        let count = count(&mut path, time)?;
        subjects.push(Subject { path, count, alone: Vec::new(), together: Vec::new() });
    }
    progress.step(format!("packets: {}, two CPUs", family.name()));
    for round in 0..rounds {
        progress.done(round, rounds);
        for place in 0..subjects.len() {
            // Each as often first as second.
            let place = (place + round) % subjects.len();
            subjects[place].round(cpus)?;
        }
    }
    Ok(rows(family, &subjects))
}

impl Subject {
    fn round(&mut self, cpus: [usize; 2]) -> Result<()> {
        let mut alone = 0.0;
        for cpu in cpus {
            interrupt::check()?;
            alone += rate_from(&mut self.path, &[cpu], self.count)? / cpus.len() as f64;
        }
        interrupt::check()?;
        self.together.push(rate_from(&mut self.path, &cpus, self.count)?);
        self.alone.push(alone);
        Ok(())
    }
}

fn rows(family: Family, subjects: &[Subject]) -> Vec<Row> {
    let name = |what: &str| format!("{} {what}, two CPUs", family.name());
    let mut rows = Vec::new();
    let mut gains = Vec::new();
    for Subject { path, alone, together, .. } in subjects {
        let gain = ratios(together, alone);
        rows.push(Row::new(Group::Packets, name(path.way.name()), "Mpps", together).with_ratio("one CPU", &gain));
        gains.push(gain);
    }
    if let [floor, native] = &gains[..] {
        let row = Row::new(Group::Packets, name("modlb, gain"), "×", native);
        rows.push(row.with_ratio("MAC rewrite's gain", &ratios(native, floor)).with_target(GAIN));
    }
    rows
}
