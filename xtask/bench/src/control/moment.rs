//! How soon traffic notices a command: from its start to the first packet by the new table.

use std::{
    os::unix::process::CommandExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

use super::{
    bed::Bed,
    row::{milliseconds, row},
};
use crate::{
    frame::{Family, Frame, Shape},
    gateway::program,
    interrupt,
    modlb::Modlb,
    options::Options,
    packets::{SERVERS, one_service},
    progress::Progress,
    result::{Row, Target},
    table::Table,
};

/// The pause between two packets: short compared with what is measured, but the command needs a CPU as well.
const PAUSE: Duration = Duration::from_micros(20);

/// From the start of `attach` to the first packet.
const FIRST: Target = Target::AtMost(100.0);

/// No command takes this long.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: server down and up");
    let table = one_service(Family::V4);
    let bed = Bed::new(options, "moment", &table.configuration())?;
    let modlb = &bed.modlb;
    let probe = Probe { program: program(modlb)?, frame: Frame::new(&Shape::tcp(Family::V4)).bytes };
    let usual = probe.destination()?;
    let number =
        (0..SERVERS).find(|server| crate::table::mac(0, *server).0 == usual).context("no server gets the packet")?;
    let address = table.server(number);
    let (mut down, mut up) = (Vec::new(), Vec::new());
    let rounds = if options.quick { 7 } else { 31 };
    for round in 0..rounds {
        progress.done(round, rounds);
        interrupt::check()?;
        down.push(probe.moment(modlb, &format!("server down s0 {address}"), usual)?);
        ensure!(probe.destination()? != usual, "`server down` did not move the packet");
        up.push(probe.moment(modlb, &format!("server up s0 {address}"), probe.destination()?)?);
        ensure!(probe.destination()? == usual, "`server up` did not move the packet back");
    }
    let what = "command start to the first packet by the new table";
    drop(bed);
    Ok(vec![
        attach(options, progress)?,
        row(format!("`modlb server down`, {what}"), "ms", &down),
        row(format!("`modlb server up`, {what}"), "ms", &up),
    ])
}

/// How soon the first packet is forwarded by an instance that is made.
fn attach(options: &Options, progress: &mut Progress) -> Result<Row> {
    progress.step("control: attach to the first packet");
    let bed = Bed::bare(options, "first")?;
    let (frame, mut times) = (Frame::new(&Shape::tcp(Family::V4)).bytes, Vec::new());
    for _ in 0..if options.quick { 5 } else { 21 } {
        interrupt::check()?;
        // Detached on drop.
        let modlb = Modlb::new(&options.modlb, &bed.namespace)?;
        let file = modlb.file("modlb.toml", &Table { servers: 3, ..one_service(Family::V4) }.configuration())?;
        let mut command = modlb.command(&format!("attach eth0 --mode generic --config {}", file.display()));
        let start = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()?;
        let forwards = || {
            let probe = Probe { program: program(&modlb).ok()?, frame: frame.clone() };
            probe.destination().ok().filter(|destination| frame[..6] != *destination)
        };
        while forwards().is_none() {
            if start.elapsed() > TOO_LONG {
                let _ = child.kill();
                let _ = child.wait();
                bail!("`modlb attach` forwards nothing");
            }
            thread::sleep(10 * PAUSE);
        }
        times.push(milliseconds(start.elapsed()));
        ensure!(child.wait()?.success(), "`modlb attach` failed");
    }
    Ok(row("`modlb attach` of a new instance, command start to the first packet forwarded", "ms", &times)
        .with_target(FIRST))
}

/// A packet that shows which table is in force.
struct Probe {
    program: Xdp,
    frame: Vec<u8>,
}

impl Probe {
    /// The MAC that the packet is sent to now.
    fn destination(&self) -> Result<[u8; 6]> {
        let mut out = vec![0; self.frame.len() + 64];
        let mut options = TestRunOptions::new();
        options.data_in = Some(&self.frame);
        options.data_out = Some(&mut out);
        self.program.test_run(options)?;
        Ok(out[..6].try_into()?)
    }

    /// Runs a command; returns how long it took until the packet was no longer sent to `before`, in milliseconds.
    fn moment(&self, modlb: &Modlb, command: &str, before: [u8; 6]) -> Result<f64> {
        let mut child = modlb.command(command);
        let start = Instant::now();
        let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()?;
        while self.destination()? == before {
            if start.elapsed() > TOO_LONG {
                let _ = child.kill();
                let _ = child.wait();
                bail!("`modlb {command}` moved nothing");
            }
            thread::sleep(PAUSE);
        }
        let time = start.elapsed();
        ensure!(child.wait()?.success(), "`modlb {command}` failed");
        Ok(milliseconds(time))
    }
}
