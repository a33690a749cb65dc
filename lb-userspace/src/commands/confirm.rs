//! `modlb confirm`, and the process that waits for it.

use std::time::Duration;

use anyhow::{Result, bail};

use super::change::{attached, moved, put_in_force, show};
use crate::{
    cli::Confirm,
    confirm::{self, Pending, Waiter},
    datapath::{Error, Writer},
    locate::{self, Located, Refresh, locate},
    net::Net,
    output::print_text,
    plan::diff,
};

/// How often the one who waits looks whether it still has to.
const LOOK: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to roll back.
const AGAIN: Duration = Duration::from_secs(1);

pub async fn run(instance: &str, options: &Confirm) -> Result<()> {
    if options.wait {
        return wait(Waiter::new(instance)?, instance).await;
    }
    let mut writer = Writer::open(instance)?;
    let Some(found) = confirm::find(instance)? else {
        bail!(
            "there is nothing to confirm: no change of instance {instance} is waiting for it; it may have been rolled back \
             already, `modlb export` prints what is in force"
        );
    };
    if options.undo {
        roll_back(&mut writer, &found.pending, true).await?;
        confirm::settle(&writer, instance)?;
        return Ok(print_text("rolled back")?);
    }
    confirm::settle(&writer, instance)?;
    Ok(print_text("confirmed")?)
}

/// Waits, and rolls back when it is time. Nobody reads what this says: complaints go into the record and the system's log.
async fn wait(mut waiter: Waiter, instance: &str) -> Result<()> {
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
    roll_back(&mut writer, &pending, false).await?;
    log_to_system(&format!("instance {instance}: a change was not confirmed in time and has been rolled back"));
    confirm::settle(&writer, instance)
}

/// Puts in force what was before.
async fn roll_back(writer: &mut Writer, pending: &Pending, tell: bool) -> Result<()> {
    let net = Net::open()?;
    let have = writer.snapshot();
    let want = pending.before()?;
    let plan = diff(&have.config, &want);
    let interfaces = attached(writer, &net).await?;
    let Located { placed, lost } = locate(&net, &interfaces, want, &have, Refresh::Unknown).await?;
    locate::warn(&lost);
    let prepared = writer.prepare(&placed)?;
    if tell {
        show(&plan, &moved(&have, &placed), false)?;
    }
    for line in put_in_force(writer, &interfaces, &have, &placed, &prepared)? {
        log::info!("{line}");
    }
    Ok(())
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
