//! Rolls back to the configuration before a change.

use std::time::Duration;

use anyhow::Result;

use super::{
    record::{Pending, settle},
    waiter::Waiter,
};
use crate::{
    change::{
        apply::{Change, ChangeOptions},
        resolve::Refresh,
    },
    datapath::{Error, Writer},
};

/// How often the waiting process looks at the record.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to roll back.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Waits, and rolls back when it is time. Its output is not read, so problems go into the record and the system's log.
pub async fn wait(instance: &str) -> Result<()> {
    let mut waiter = Waiter::new(instance)?;
    // Neither the end of the session nor Ctrl-C ends this process.
    for signal in [nix::sys::signal::Signal::SIGHUP, nix::sys::signal::Signal::SIGINT] {
        // SAFETY: ignoring a signal runs no handler.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }?;
    }
    while let Some(pending) = waiter.pending() {
        if !pending.left().is_zero() {
            tokio::time::sleep(pending.left().min(POLL_INTERVAL)).await;
            continue;
        }
        match try_to_roll_back(&waiter, instance).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                let problem = format!("{error:#}");
                if pending.problem.as_ref() != Some(&problem) {
                    log_to_system(&format!("instance {instance}: cannot roll back: {problem}; trying again"));
                    waiter.record_problem(pending, problem)?;
                }
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
    waiter.remove_record()
}

async fn try_to_roll_back(waiter: &Waiter, instance: &str) -> Result<()> {
    let mut writer = match Writer::open(instance) {
        Ok(writer) => writer,
        Err(Error::NotRunning(_)) => return waiter.remove_record(),
        Err(error) => return Err(error.into()),
    };
    // It may have been confirmed while this waited for the lock.
    let Some(pending) = waiter.pending() else { return waiter.remove_record() };
    roll_back(&mut writer, &pending).await?;
    log_to_system(&format!("instance {instance}: a change was not confirmed in time and has been rolled back"));
    settle(&writer, instance)
}

/// Puts the former configuration in force. Returns what changed.
///
/// # Errors
///
/// It cannot be put in force; nothing was changed.
pub async fn roll_back(writer: &mut Writer, pending: &Pending) -> Result<Change> {
    let options = ChangeOptions { refresh: Refresh::Unknown, force: true, must_find: None };
    let change = Change::prepare(writer, pending.before()?, options).await?;
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
