//! How long it takes to put a configuration in force: by the library, without starting a process, and by the command,
//! with everything.

use std::time::Instant;

use anyhow::{Context as _, Result};
use lb_userspace::{
    config::file,
    datapath::{Location, Placed, Writer, store::grace},
};

use super::{
    bed::{self, configuration},
    row::{milliseconds, row},
};
use crate::{
    command::capture,
    interrupt,
    options::Options,
    progress::Progress,
    result::{Row, Target},
};

/// From the first byte written to the store that puts 65,536 slots in force.
const VISIBLE: Target = Target::AtMost(5.0);

/// A configuration to put in force.
struct Size {
    name: &'static str,
    services: u32,
    servers: u32,
    weight: u32,
    target: Option<Target>,
}

impl Size {
    const fn new(name: &'static str, services: u32, servers: u32, weight: u32) -> Self {
        Self { name, services, servers, weight, target: None }
    }
}

const SIZES: [Size; 4] = [
    Size::new("1 slot", 1, 1, 1),
    Size::new("1,000 slots", 1, 1_000, 1),
    Size { target: Some(VISIBLE), ..Size::new("65,536 slots", 1, 1_024, 64) },
    Size::new("4,000 services", 4_000, 8, 1),
];

/// The measurements of one size, in milliseconds.
#[derive(Default)]
struct Times {
    prepare: Vec<f64>,
    publish: Vec<f64>,
    command: Vec<f64>,
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: publishing");
    // Each size has its own instance, so that none has to wait for the grace period after another's change.
    let beds = SIZES.iter().map(|size| Bed::new(size, options)).collect::<Result<Vec<_>>>()?;
    let rounds = if options.quick { 5 } else { 21 };
    let mut times = SIZES.map(|_| Times::default());
    let mut waits = Vec::new();
    for round in 0..rounds {
        progress.done(round, rounds);
        for (bed, times) in beds.iter().zip(&mut times) {
            interrupt::check()?;
            let (prepare, publish) = bed.library()?;
            times.prepare.push(prepare);
            times.publish.push(publish);
            times.command.push(bed.command()?);
        }
        let start = Instant::now();
        grace::wait()?;
        waits.push(milliseconds(start.elapsed()));
    }
    let mut rows = vec![row("wait for running programs (RCU grace period)", "ms", &waits)];
    for (size, times) in SIZES.iter().zip(&times) {
        rows.push(row(format!("prepare {}, that wait included", size.name), "ms", &times.prepare));
        let visible = row(format!("publish {}, write to visible", size.name), "ms", &times.publish);
        rows.push(size.target.map_or_else(|| visible.clone(), |target| visible.clone().with_target(target)));
        rows.push(row(format!("`modlb apply` of {}, the whole command", size.name), "ms", &times.command));
    }
    Ok(rows)
}

/// An instance with a configuration of one size, and others of the same size to replace it.
struct Bed {
    texts: [String; 2],
    bed: bed::Bed,
}

impl Bed {
    fn new(size: &Size, options: &Options) -> Result<Self> {
        let texts = [0, 1].map(|variant| configuration(size.services, size.servers, size.weight, variant));
        let bed = bed::Bed::new(options, "publish", &texts[0])?;
        Ok(Self { texts, bed })
    }

    /// Puts the second configuration in force by the library; returns how long it took to prepare and to publish, in
    /// milliseconds.
    fn library(&self) -> Result<(f64, f64)> {
        let config = file::parse(&self.texts[1]).context("the benchmark's configuration")?;
        let locations = config.services.iter().map(|service| vec![Location::SamePort; service.servers.len()]).collect();
        let placed = Placed::new(config, locations, Vec::new());
        self.bed.namespace.within(|| {
            let mut writer = Writer::open(self.bed.modlb.instance())?;
            let start = Instant::now();
            let prepared = writer.prepare(&placed)?;
            let middle = Instant::now();
            writer.publish(&prepared)?;
            Ok((milliseconds(middle - start), milliseconds(middle.elapsed())))
        })
    }

    /// Puts the first one in force again by the command; returns how long that took, in milliseconds.
    fn command(&self) -> Result<f64> {
        let file = self.bed.modlb.file("next.toml", &self.texts[0])?;
        let start = Instant::now();
        capture(&mut self.bed.modlb.command(&format!("apply {}", file.display())))?;
        Ok(milliseconds(start.elapsed()))
    }
}
