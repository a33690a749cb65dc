//! What it takes to start the command, and how much memory it wants.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;

use super::{
    publish::{configuration, milliseconds},
    row,
};
use crate::{Options, interrupt, modlb::Modlb, namespace::Namespace, progress::Progress, result::Row};

/// Services of the large configuration, and servers of each.
const SERVICES: u32 = 4_000;
const SERVERS: u32 = 8;

/// Measures this part.
pub fn run(options: &Options, progress: &mut Progress) -> Result<Vec<Row>> {
    progress.step("control: starting commands");
    let namespace = Namespace::new("commands")?;
    namespace.ip("link add eth0 type veth peer name peer0")?;
    let small = Modlb::new(&options.modlb, &namespace)?;
    small.attach("eth0 --mode generic", &configuration(1, 3, 1, 0))?;
    let rounds = if options.quick { 7 } else { 31 };
    let (mut version, mut status) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        progress.done(round, rounds);
        interrupt::check()?;
        version.push(run_once(Command::new(&options.modlb).arg("--version"))?.0);
        status.push(run_once(&mut small.command("status"))?.0);
    }
    let mut rows = vec![
        row("`modlb --version`, start to end", "ms", &version),
        row("`modlb status`, start to end", "ms", &status),
    ];

    progress.step("control: memory of commands");
    let (mut attach, mut apply) = (Vec::new(), Vec::new());
    for _ in 0..if options.quick { 1 } else { 3 } {
        interrupt::check()?;
        let namespace = Namespace::new("memory")?;
        namespace.ip("link add eth0 type veth peer name peer0")?;
        let large = Modlb::new(&options.modlb, &namespace)?;
        let file = large.file("first.toml", &configuration(SERVICES, SERVERS, 1, 0))?;
        attach.push(run_once(&mut large.command(&format!("attach eth0 --mode generic --config {}", file.display())))?.1);
        let file = large.file("second.toml", &configuration(SERVICES, SERVERS, 1, 1))?;
        apply.push(run_once(&mut large.command(&format!("apply {}", file.display())))?.1);
    }
    let what = "of 4,000 services of 8 servers, peak memory";
    rows.push(row(format!("`modlb attach` {what}"), "MiB", &attach));
    rows.push(row(format!("`modlb apply` {what}"), "MiB", &apply));
    Ok(rows)
}

/// Runs a command; returns how long it took in milliseconds and the most memory that it held in MiB.
fn run_once(command: &mut Command) -> Result<(f64, f64)> {
    let name = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    let (status, usage) = wait(child)?;
    let time = start.elapsed();
    ensure!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{name} failed");
    // The kernel counts in KiB.
    Ok((milliseconds(time), usage.ru_maxrss as f64 / 1024.0))
}

/// Waits for a process of one's own; what it used comes only with wait4(2).
#[expect(clippy::needless_pass_by_value, reason = "nobody else may wait for it any more")]
fn wait(child: Child) -> Result<(libc::c_int, libc::rusage)> {
    let mut status = 0;
    // SAFETY: zeros are a valid value of a structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both outlive the call.
        let result = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            result => return Ok(result.map(|_| (status, usage))?),
        }
    }
}
