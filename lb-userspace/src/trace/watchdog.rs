//! The watchdog: a process that puts the regular programs back when the command that swapped them ends, for any reason.
//!
//! It waits on a pipe that the kernel closes when the command ends. It has its own session, so that neither keys nor
//! the terminal's end reach it. A command that ends normally uses it as well: there is only one way out, and each use
//! tests it.
//!
//! If the watchdog is killed as well, the next command that writes restores the programs (`datapath::tracing`).

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{SigHandler, Signal, signal},
    unistd::setsid,
};

use crate::datapath::{Error, Writer, tracing::Claim};

/// This command's watchdog.
#[derive(Debug)]
pub struct Watchdog {
    child: Child,
    /// Open while this command lives.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts a watchdog, and returns once only its death can keep it from its task.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(instance: &str) -> Result<Self> {
        // The running program, even if its file has been replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.args(["--instance", instance, "trace-guard"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the watchdog")?;
        let pipe = child.stdin.take();
        let mut ready = child.stdout.take().context("the watchdog has no output")?;
        let mut byte = [0];
        ensure!(ready.read(&mut byte).is_ok_and(|length| length == 1), "the watchdog ended before it was ready");
        Ok(Self { child, pipe })
    }

    /// Lets it do its task; returns whether it succeeded.
    pub fn finish(&mut self) -> bool {
        self.pipe = None;
        self.child.wait().is_ok_and(|status| status.success())
    }
}

/// Runs the watchdog.
///
/// # Errors
///
/// The regular programs could not be put back.
pub fn run(instance: &str) -> Result<()> {
    // Fails for the leader of a group, which has its own session already.
    let _ = setsid();
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        // SAFETY: no handler runs.
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    let mut out = std::io::stdout();
    // A command that was killed meanwhile does not read this; the task stays the same.
    let _ = out.write_all(b"\n").and_then(|()| out.flush());
    // Until the end of the pipe; a read error ends the wait as well.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    loop {
        match restore(instance) {
            Err(Error::Locked(..)) => {}
            result => return Ok(result?),
        }
    }
}

fn restore(instance: &str) -> Result<(), Error> {
    let claim = match Claim::take(instance) {
        // No instance, or another trace runs and has restored the programs.
        Err(Error::NotRunning(_) | Error::Traced(_)) => return Ok(()),
        claim => claim?,
    };
    let ended = match Writer::open(instance) {
        Err(Error::NotRunning(_)) => Ok(()),
        writer => writer?.swap_out().map(drop),
    };
    drop(claim);
    ended
}
