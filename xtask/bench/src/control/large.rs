//! What user space does where there is much: long lists, many services, tables that have to be dealt anew.

use std::{
    fmt::Write as _,
    fs,
    os::unix::process::CommandExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lb_userspace::{config::file, datapath::Datapath, decide::slots::SlotTable};

use super::{
    bed::{Bed, configuration},
    row::{milliseconds, row},
};
use crate::{
    interrupt,
    options::Options,
    progress::Progress,
    result::{Row, Target},
};

/// From the start of the command to the store that puts its change in force.
const SERVER_DOWN: Target = Target::AtMost(150.0);
const APPLY: Target = Target::AtMost(300.0);

/// Building a table.
const TABLE: Target = Target::AtMost(100.0);

/// The command as it is installed.
const BINARY: Target = Target::AtMost(12.0);

/// Servers of the long list.
const SERVERS: u32 = 60_000;

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    let rounds = if options.quick { 3 } else { 11 };
    let mut rows = Vec::new();
    for selection in ["modulo", "resilient"] {
        progress.step(format!("control: server down of 60,000, {selection}"));
        let bed = Bed::new(options, "large", &long(selection))?;
        let mut down = Vec::new();
        for round in 0..rounds {
            progress.done(round, rounds);
            down.push(visible(&bed, "server down s0 10.1.3.7")?);
            bed.modlb.run("server up s0 10.1.3.7")?;
        }
        let name = format!("`modlb server down` of 60,000 servers, {selection}, start to visible");
        rows.push(row(name, "ms", &down).with_target(SERVER_DOWN));
    }

    progress.step("control: one of 100,000 servers changes");
    let texts = [0, 1].map(|variant| {
        let text = configuration(4_000, 25, 1, 0);
        text.replacen("02:00:07:d0:00:07", &format!("02:00:07:d0:{variant:02x}:07"), 1)
    });
    let bed = Bed::new(options, "large", &texts[0])?;
    let mut apply = Vec::new();
    for round in 0..rounds {
        progress.done(round, rounds);
        let file = bed.modlb.file("next.toml", &texts[usize::from(round % 2 == 0)])?;
        apply.push(visible(&bed, &format!("apply {}", file.display()))?);
    }
    let name = "`modlb apply` of 4,000 services of 25 servers, one changed, start to visible";
    rows.push(row(name, "ms", &apply).with_target(APPLY));

    rows.extend(tables(rounds, progress)?);
    let bytes = fs::metadata(&options.modlb)?.len() as f64;
    rows.push(row("the command `modlb`, as built", "MiB", &[bytes / f64::from(1 << 20)]).with_target(BINARY));
    Ok(rows)
}

/// A service with many servers.
fn long(selection: &str) -> String {
    let slots = if selection == "resilient" { "slots = 65521\n" } else { "" };
    let text = configuration(1, SERVERS, 1, 0);
    text.replacen("server = [", &format!("selection = \"{selection}\"\n{slots}server = ["), 1)
}

/// Tables of which half has to be dealt: by a few lottery tickets, and by as many as there can be.
fn tables(rounds: usize, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: tables with half of the servers down");
    let mut rows = Vec::new();
    for (name, weight, keys) in [
        ("65,521 slots of 1,024 servers, half of them down", 1, "selection = \"resilient\"\nslots = 65521\n"),
        ("65,536 slots of 1,024 servers of weight 64, half of them down", 64, ""),
    ] {
        let mut text = format!("[[service]]\nname = \"s\"\naddress = \"203.0.113.10\"\n{keys}server = [");
        for server in 0..1_024_u32 {
            let (state, [.., c, d]) = (["up", "down"][server as usize % 2], server.to_be_bytes());
            // Writing to a string cannot fail.
            let _ = write!(text, "{{address=\"10.1.{c}.{d}\",weight={weight},state=\"{state}\"}},");
        }
        let config = file::parse(&(text + "]\n")).context("the benchmark's configuration")?;
        let mut times = Vec::new();
        for round in 0..rounds {
            progress.done(round, rounds);
            interrupt::check()?;
            let start = Instant::now();
            let table = SlotTable::build(&config.services[0]);
            times.push(milliseconds(start.elapsed()));
            ensure!(table.len() > 65_000 && !table.all_down(), "this is another table: {} slots", table.len());
        }
        rows.push(row(format!("a table of {name}"), "ms", &times).with_target(TABLE));
    }
    Ok(rows)
}

/// Runs a command; returns how long it took until another configuration was in force, in milliseconds.
fn visible(bed: &Bed, command: &str) -> Result<f64> {
    interrupt::check()?;
    let watch = bed.namespace.within(|| Ok(Datapath::open(bed.modlb.instance())?.watch()))?;
    let before = watch.generation();
    let mut command = bed.modlb.command(command);
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()?;
    let mut time = None;
    while time.is_none() && child.try_wait()?.is_none() {
        thread::sleep(Duration::from_micros(200));
        time = (watch.generation() != before).then(|| start.elapsed());
    }
    ensure!(child.wait()?.success(), "{command:?} failed");
    let time = time.or_else(|| (watch.generation() != before).then(|| start.elapsed()));
    Ok(milliseconds(time.with_context(|| format!("{command:?} changed nothing"))?))
}
