//! How long the command takes to start, and how much memory it needs.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;

use super::{
    bed::{Bed, configuration},
    row::{milliseconds, row},
};
use crate::{command::capture, interrupt, options::Options, progress::Progress, result::Row};

/// Services of the large configuration, and servers of each service.
const SERVICES: u32 = 4_000;
const SERVERS: u32 = 8;

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: starting commands");
    let small = Bed::new(options, "commands", &configuration(1, 3, 1, 0))?;
    let rounds = if options.quick { 7 } else { 31 };
    let (mut version, mut status) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        progress.done(round, rounds);
        interrupt::check()?;
        version.push(time(Command::new(&options.modlb).arg("--version"))?);
        status.push(time(&mut small.modlb.command("status"))?);
    }
    let mut rows = vec![
        row("`modlb --version`, start to end", "ms", &version),
        row("`modlb status`, start to end", "ms", &status),
    ];

    progress.step("control: memory of commands");
    let (mut attach, mut apply) = (Vec::new(), Vec::new());
    for _ in 0..if options.quick { 1 } else { 3 } {
        interrupt::check()?;
        // Named, so that the namespace outlives the instance.
        let bed = Bed::bare(options, "memory")?;
        let large = &bed.modlb;
        let file = large.file("first.toml", &configuration(SERVICES, SERVERS, 1, 0))?;
        attach.push(peak(&mut large.command(&format!("attach eth0 --mode generic --config {}", file.display())))?);
        let file = large.file("second.toml", &configuration(SERVICES, SERVERS, 1, 1))?;
        apply.push(peak(&mut large.command(&format!("apply {}", file.display())))?);
    }
    let what = "of 4,000 services of 8 servers, peak memory";
    rows.push(row(format!("`modlb attach` {what}"), "MiB", &attach));
    rows.push(row(format!("`modlb apply` {what}"), "MiB", &apply));
    Ok(rows)
}

/// Runs a command; returns how long it took in milliseconds.
fn time(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    capture(command)?;
    Ok(milliseconds(start.elapsed()))
}

/// Runs a command; returns its peak memory in MiB.
///
/// Trap: wait4(2) includes the memory of this process at the fork, and afterwards /proc has no entry any more. So the
/// command is stopped when it is about to exit.
fn peak(command: &mut Command) -> Result<f64> {
    let name = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    let process = child.id() as libc::pid_t;
    let at_exit = libc::PTRACE_O_TRACEEXIT as libc::c_ulong;
    // SAFETY: takes numbers; the process is a child that has not been waited for.
    let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, 0_usize, at_exit) };
    Errno::result(seized).with_context(|| format!("cannot watch {name}"))?;
    let stop = stopped(process)?;
    ensure!(
        stop >> 8 == libc::SIGTRAP | libc::PTRACE_EVENT_EXIT << 8,
        "{name} was stopped by something else ({stop:#x})"
    );
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    // SAFETY: as above.
    Errno::result(unsafe { libc::ptrace(libc::PTRACE_CONT, process, 0_usize, 0_usize) })?;
    ensure!(child.wait()?.success(), "{name} failed");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel does not report VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Waits until a child is stopped or has ended; returns its status.
fn stopped(process: libc::pid_t) -> Result<libc::c_int> {
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        match Errno::result(unsafe { libc::waitpid(process, &raw mut status, 0) }) {
            Err(Errno::EINTR) => {}
            result => return Ok(result.map(|_| status)?),
        }
    }
}
