//! The guard: a process that puts the ordinary programs back when the command that swapped them is gone, however it went.
//!
//! It waits at the end of a pipe that the kernel closes with the command, in a session of its own, so that no key and no terminal
//! reaches it. It does the same after a command that ended well: there is one way out, and every use of it tries it.
//!
//! If it is killed, too, the next command that writes puts things right (`datapath::tracing`).

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

/// The guard of this command.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    /// Open for as long as this command lives.
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts one, and returns when nothing but its death keeps it from its task.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(instance: &str) -> Result<Self> {
        // The very program that runs, also if its file has been replaced meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.args(["--instance", instance, "trace-guard"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the guard")?;
        let pipe = child.stdin.take();
        let mut ready = child.stdout.take().context("the guard has no output")?;
        let mut byte = [0];
        ensure!(ready.read(&mut byte).is_ok_and(|length| length == 1), "the guard ended before it began");
        Ok(Self { child, pipe })
    }

    /// Lets it do its task; whether it did.
    pub fn finish(&mut self) -> bool {
        self.pipe = None;
        self.child.wait().is_ok_and(|status| status.success())
    }
}

/// The guard's whole life.
///
/// # Errors
///
/// The ordinary programs could not be put back.
pub fn run(instance: &str) -> Result<()> {
    // The leader of a group has one already.
    let _ = setsid();
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        // SAFETY: nothing is run when a signal comes.
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    let mut out = std::io::stdout();
    // A command that was killed meanwhile reads nothing; what there is to do is the same.
    let _ = out.write_all(b"\n").and_then(|()| out.flush());
    // Until the end of the pipe; whatever else comes to it ends the wait as well.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    loop {
        match put_back(instance) {
            Err(Error::Locked(..)) => {}
            result => return Ok(result?),
        }
    }
}

fn put_back(instance: &str) -> Result<(), Error> {
    let claim = match Claim::take(instance) {
        // There is nothing, or somebody else traces and has put right what was left.
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
