//! How long it takes to put a configuration in force: by the library, so that starting a process is left out, and by the
//! command, so that nothing is.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lb_userspace::{
    config::file,
    datapath::{Place, Placed, Writer, grace},
};

use super::row;
use crate::{
    Options,
    command::capture,
    interrupt,
    modlb::Modlb,
    namespace::Namespace,
    progress::Progress,
    result::{Row, Target},
};

/// From the first byte that is written to the store that puts 65,536 slots in force.
const VISIBLE: Target = Target::AtMost(5.0);

/// What is put in force.
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

/// Services with these servers. Two `variant`s differ in every server's MAC.
pub fn configuration(services: u32, servers: u32, weight: u32, variant: u8) -> String {
    let mut text = String::new();
    for service in 0..services {
        let [.., high, low] = service.to_be_bytes();
        // Nothing can go wrong in writing to a string.
        let _ = writeln!(text, "[[service]]\nname = \"s{service}\"\naddress = \"198.18.{high}.{low}\"");
        text += "protocol = \"tcp\"\nport = 443\nserver = [";
        for server in 0..servers {
            let [.., c, d] = server.to_be_bytes();
            let _ = write!(
                text,
                "{{address=\"10.1.{c}.{d}\",mac=\"02:{variant:02x}:{high:02x}:{low:02x}:{c:02x}:{d:02x}\",weight={weight}}},"
            );
        }
        text += "]\n";
    }
    text
}

/// What is measured of one size, in milliseconds.
#[derive(Default)]
struct Times {
    prepare: Vec<f64>,
    publish: Vec<f64>,
    command: Vec<f64>,
}

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: publishing");
    let namespace = Namespace::new("publish")?;
    namespace.ip("link add eth0 type veth peer name peer0")?;
    let modlb = Modlb::new(&options.modlb, &namespace)?;
    modlb.attach("eth0 --mode generic", &configuration(1, 1, 1, 0))?;
    let rounds = if options.quick { 5 } else { 21 };
    let mut times = SIZES.map(|_| Times::default());
    let mut waits = Vec::new();
    for round in 0..rounds {
        progress.done(round, rounds);
        for (size, times) in SIZES.iter().zip(&mut times) {
            interrupt::check()?;
            let text = |variant| configuration(size.services, size.servers, size.weight, variant);
            // What is measured begins with the same size in force, so that there is a half to read.
            library(&namespace, &modlb, &text(0))?;
            let (prepare, publish) = library(&namespace, &modlb, &text(1))?;
            times.prepare.push(prepare);
            times.publish.push(publish);
            let file = modlb.file("next.toml", &text(2))?;
            let start = Instant::now();
            capture(&mut modlb.command(&format!("apply {}", file.display())))?;
            times.command.push(milliseconds(start.elapsed()));
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

/// Puts a configuration in force by the library; returns how long it took to prepare and to publish, in milliseconds.
fn library(namespace: &Namespace, modlb: &Modlb, text: &str) -> Result<(f64, f64)> {
    let config = file::parse(text).context("the benchmark's configuration")?;
    let places = config.services.iter().map(|service| vec![Place::Back; service.servers.len()]).collect();
    let placed = Placed { config, places, own: Vec::new() };
    namespace.within(|| {
        let mut writer = Writer::open(modlb.instance())?;
        let start = Instant::now();
        let prepared = writer.prepare(&placed)?;
        let middle = Instant::now();
        writer.publish(&prepared)?;
        Ok((milliseconds(middle - start), milliseconds(middle.elapsed())))
    })
}

/// As a number.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
