//! The instance's lock, which the agent never waits for in the middle of its loop.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use anyhow::Result;
use tokio::time::{self, Instant};

use super::{state::Agent, stop::Changing};
use crate::datapath::{Error, InstanceOptions, Writer};

/// After this time without the lock, that is reported.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// How soon findings that wait for the lock are tried again.
pub(super) const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// How long the file waits for a command that is nearly done, before it is tried again later.
const PATIENCE: Duration = Duration::from_millis(500);

/// The right to change the instance. The agent does not end while it has it.
#[derive(Debug)]
pub(super) struct Locked {
    // Before the other, as the lock is released first.
    writer: Writer,
    _changing: Changing,
}

impl Deref for Locked {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl Locked {
    /// Removes an instance that was just made, and could not be put in force.
    pub fn abandon(self) -> Result<()> {
        Ok(self.writer.abandon()?)
    }
}

/// Whether another command has the lock, which is not worth a report yet.
pub(super) fn is_busy(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Busy(_)))
}

impl Agent {
    /// Takes the lock. `None`: there is no instance.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], and [`Error::Locked`] after a while: another command has it.
    pub(super) fn lock(&mut self) -> Result<Option<Locked>> {
        match Writer::try_open(&self.instance) {
            Ok(writer) => self.locked(writer).map(Some),
            Err(Error::NotRunning(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same with some patience.
    pub(super) async fn lock_soon(&mut self) -> Result<Option<Locked>> {
        let start = Instant::now();
        loop {
            match self.lock() {
                Err(error) if waits(&error) && start.elapsed() < PATIENCE => time::sleep(LOCK_INTERVAL).await,
                result => return result,
            }
        }
    }

    /// Makes an instance, or takes the lock of one that is there.
    pub(super) async fn create_soon(&mut self, wanted: &InstanceOptions) -> Result<Locked> {
        let start = Instant::now();
        loop {
            let writer = Writer::try_create(&self.instance, wanted)?;
            match self.locked(writer) {
                Err(_) if start.elapsed() < PATIENCE => time::sleep(LOCK_INTERVAL).await,
                result => return result,
            }
        }
    }

    fn locked(&mut self, writer: Option<Writer>) -> Result<Locked> {
        if let Some(writer) = writer {
            self.busy_since = None;
            return Ok(Locked { writer, _changing: self.stop.changing() });
        }
        let since = *self.busy_since.get_or_insert_with(Instant::now);
        let instance = self.instance.clone();
        Err(match since.elapsed() < LOCK_TIMEOUT {
            true => Error::Busy(instance).into(),
            false => Error::Locked(instance, LOCK_TIMEOUT.as_secs()).into(),
        })
    }
}

/// Whether another command has the lock.
pub(super) fn waits(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Busy(_) | Error::Locked(..)))
}
