//! How soon traffic notices a command: from its start to the first packet by the new table.

use std::{
    os::unix::process::CommandExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

use super::{publish::milliseconds, row::row};
use crate::{
    frame::{Family, Frame, Shape},
    gateway::program,
    interrupt,
    modlb::Modlb,
    namespace::Namespace,
    options::Options,
    packets::{SERVERS, one_service},
    progress::Progress,
    result::Row,
};

/// The pause between two packets: short compared with what is measured, but the command needs a CPU as well.
const PAUSE: Duration = Duration::from_micros(20);

/// No command takes this long.
const TOO_LONG: Duration = Duration::from_secs(30);

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: server down and up");
    let namespace = Namespace::new("moment")?;
    namespace.ip(&format!("link add eth0 address {} type veth peer name peer0", crate::frame::INTERFACE))?;
    let table = one_service(Family::V4);
    let modlb = Modlb::new(&options.modlb, &namespace)?;
    modlb.attach("eth0 --mode generic", &table.configuration())?;
    let probe = Probe { program: program(&modlb)?, frame: Frame::new(&Shape::tcp(Family::V4)).bytes };
    let usual = probe.destination()?;
    let number =
        (0..SERVERS).find(|server| crate::table::mac(0, *server).0 == usual).context("no server gets the packet")?;
    let address = table.server(number);
    let (mut down, mut up) = (Vec::new(), Vec::new());
    let rounds = if options.quick { 7 } else { 31 };
    for round in 0..rounds {
        progress.done(round, rounds);
        interrupt::check()?;
        down.push(probe.moment(&modlb, &format!("server down s0 {address}"), usual)?);
        ensure!(probe.destination()? != usual, "`server down` did not move the packet");
        up.push(probe.moment(&modlb, &format!("server up s0 {address}"), probe.destination()?)?);
        ensure!(probe.destination()? == usual, "`server up` did not move the packet back");
    }
    let what = "command start to the first packet by the new table";
    Ok(vec![
        row(format!("`modlb server down`, {what}"), "ms", &down),
        row(format!("`modlb server up`, {what}"), "ms", &up),
    ])
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
