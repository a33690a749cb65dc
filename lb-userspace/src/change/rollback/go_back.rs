//! Rolls back to the configuration before a change.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{SigHandler, Signal};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::{
    record::Pending,
    waiter::{Fate, Waiter},
};
use crate::{
    change::{
        apply::{Change, ChangeOptions},
        by_hand,
        resolve::Refresh,
    },
    config::model::health,
    datapath::{Error, Writer},
};

/// How often the waiting process looks at the record.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to roll back.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Waits, and rolls back when it is time, or at once when the process is to end. Its output is not read, so problems go
/// into the record and the system's log.
pub async fn wait(instance: &str) -> Result<()> {
    // Neither the end of the session nor Ctrl-C ends this process, and the kernel takes others when memory runs out.
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        // SAFETY: ignoring a signal runs no handler.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }?;
    }
    let _ = std::fs::write("/proc/self/oom_score_adj", "-900");
    let mut end = signal(SignalKind::terminate())?;
    let mut ending = false;
    let mut waiter = Waiter::new(instance)?;
    while waiter.fate() == Fate::Waits {
        let left = waiter.pending.left();
        if !ending && !left.is_zero() {
            tokio::select! {
                () = sleep(left.min(POLL_INTERVAL)) => {}
                _ = end.recv() => ending = true,
            }
            continue;
        }
        match try_to_roll_back(&mut waiter, instance).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                let problem = format!("{error:#}");
                if waiter.pending.problem.as_ref() != Some(&problem) {
                    log_to_system(&format!("instance {instance}: cannot roll back: {problem}; trying again"));
                    // It is in the log, and trying again matters more.
                    let _ = waiter.record_problem(problem);
                }
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
    waiter.remove_record()
}

async fn try_to_roll_back(waiter: &mut Waiter, instance: &str) -> Result<()> {
    let mut writer = match Writer::open(instance) {
        Ok(writer) => writer,
        Err(Error::NotRunning(_)) => return waiter.remove_record(),
        Err(error) => return Err(error.into()),
    };
    // It may have been confirmed while this waited for the lock.
    if waiter.fate() == Fate::Waits {
        roll_back(&mut writer, &waiter.pending).await?;
        log_to_system(&format!("instance {instance}: a change was not confirmed and has been rolled back"));
    }
    if let Err(error) = waiter.remove_record() {
        // Going back once more would not help.
        log_to_system(&format!("instance {instance}: {error:#}"));
    }
    Ok(())
}

/// Puts the former configuration in force. Returns what changed.
///
/// # Errors
///
/// It cannot be put in force; nothing was changed.
pub async fn roll_back(writer: &mut Writer, pending: &Pending) -> Result<Change> {
    let options = ChangeOptions { refresh: Refresh::Unknown, force: true, must_find: None };
    let mut before = pending.before()?;
    by_hand::keep(&writer.snapshot().config, &mut before, health::now());
    let change = Change::prepare(writer, before, options).await?;
    for line in change.publish(writer)? {
        log::info!("{line}");
    }
    Ok(change)
}

/// Writes to the system's log, where operators look who were cut off.
fn log_to_system(text: &str) {
    // The text never has a zero byte.
    let Ok(text) = std::ffi::CString::new(text) else { return };
    // SAFETY: all of them are C strings, the format takes one, and the identifier is static.
    unsafe {
        libc::openlog(c"modlb".as_ptr(), libc::LOG_PID, libc::LOG_DAEMON);
        libc::syslog(libc::LOG_WARNING, c"%s".as_ptr(), text.as_ptr());
    }
}
