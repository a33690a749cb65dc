//! Going back to what was in force before a change.

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

/// How often the one who waits looks whether it still has to.
const LOOK: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to roll back.
const AGAIN: Duration = Duration::from_secs(1);

/// Waits, and rolls back when it is time. Nobody reads what this says: complaints go into the record and the system's
/// log.
pub async fn wait(instance: &str) -> Result<()> {
    let mut waiter = Waiter::new(instance)?;
    // What ends a session, and what a user types, is not meant for this process.
    for signal in [nix::sys::signal::Signal::SIGHUP, nix::sys::signal::Signal::SIGINT] {
        // SAFETY: to ignore a signal runs nothing.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }?;
    }
    while let Some(pending) = waiter.pending() {
        if !pending.left().is_zero() {
            tokio::time::sleep(pending.left().min(LOOK)).await;
            continue;
        }
        match time_is_over(&waiter, instance).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                let problem = format!("{error:#}");
                if pending.problem.as_ref() != Some(&problem) {
                    log_to_system(&format!("instance {instance}: cannot roll back: {problem}; trying again"));
                    waiter.complain(pending, problem)?;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    waiter.forget()
}

async fn time_is_over(waiter: &Waiter, instance: &str) -> Result<()> {
    let mut writer = match Writer::open(instance) {
        Ok(writer) => writer,
        Err(Error::NotRunning(_)) => return waiter.forget(),
        Err(error) => return Err(error.into()),
    };
    // Somebody may have confirmed while this waited for the lock.
    let Some(pending) = waiter.pending() else { return waiter.forget() };
    roll_back(&mut writer, &pending).await?;
    log_to_system(&format!("instance {instance}: a change was not confirmed in time and has been rolled back"));
    settle(&writer, instance)
}

/// Puts in force what was before. Returns what that changed.
///
/// # Errors
///
/// It cannot be put in force; nothing changed.
pub async fn roll_back(writer: &mut Writer, pending: &Pending) -> Result<Change> {
    let options = ChangeOptions { refresh: Refresh::Unknown, force: true, must_find: None };
    let change = Change::prepare(writer, pending.before()?, options).await?;
    for line in change.publish(writer)? {
        log::info!("{line}");
    }
    Ok(change)
}

/// Says something in the system's log, where people look who were cut off.
fn log_to_system(text: &str) {
    // A text with a zero byte cannot be made here.
    let Ok(text) = std::ffi::CString::new(text) else { return };
    // SAFETY: all of them are C strings, the format takes one, and the identifier is there for ever.
    unsafe {
        libc::openlog(c"modlb".as_ptr(), libc::LOG_PID, libc::LOG_DAEMON);
        libc::syslog(libc::LOG_WARNING, c"%s".as_ptr(), text.as_ptr());
    }
}
