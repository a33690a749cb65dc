//! A change whose waiting process was killed. A running agent takes its place.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    go_back::roll_back,
    record::{Pending, is_waited_for, read, remove, settle},
};
use crate::datapath::{Writer, store::private};

/// How often a record that cannot be read, or a change that cannot be rolled back, is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What the agent knows of such a change.
#[derive(Debug, Default)]
pub struct Abandoned {
    /// Its record, even if the file becomes unreadable.
    pending: Option<Pending>,
    /// Why it could not be finished, and when to try again.
    failure: Option<(String, Instant)>,
}

/// What has happened to such a change.
#[derive(Debug)]
pub enum News {
    /// There is one, which is rolled back after this time.
    Found(Duration),
    /// It was rolled back.
    RolledBack,
    /// It cannot be read, or cannot be rolled back; it is tried again.
    Problem(String),
}

impl Abandoned {
    /// Looks for such a change, and rolls it back when it is time. Returns what has happened since the last look.
    pub async fn look(&mut self, instance: &str) -> Option<News> {
        if !is_abandoned(instance) {
            *self = Self::default();
            return None;
        }
        let is_known = self.pending.as_ref().is_some_and(|pending| !pending.left().is_zero());
        if is_known || self.failure.as_ref().is_some_and(|(_, again_at)| Instant::now() < *again_at) {
            return None;
        }
        let before = self.failure.take();
        let problem = match self.try_to_finish(instance).await {
            Ok(news) => return news,
            Err(error) => format!("{error:#}"),
        };
        let is_new = before.is_none_or(|(before, _)| before != problem);
        self.failure = Some((problem.clone(), Instant::now() + RETRY_INTERVAL));
        is_new.then_some(News::Problem(problem))
    }

    async fn try_to_finish(&mut self, instance: &str) -> Result<Option<News>> {
        // A command that has the lock may be about to start the process.
        let Some(mut writer) = Writer::try_open(instance)? else { return Ok(None) };
        if !is_abandoned(instance) {
            return Ok(None);
        }
        let known = self.pending.take();
        match (read(instance), known) {
            (Ok(Some(pending)), known) => {
                let is_new = known.is_none_or(|known| !known.is(&pending));
                let left = pending.left();
                self.pending = Some(pending);
                if !left.is_zero() {
                    return Ok(is_new.then_some(News::Found(left)));
                }
            }
            // Settled, or of a former instance, and nobody removed it.
            (Ok(None), _) => {
                if let Some(_lock) = private::try_lock(&private::waiter_lock(instance))? {
                    remove(instance)?;
                }
                return Ok(None);
            }
            (Err(_), Some(known)) => self.pending = Some(known),
            (Err(error), None) => return Err(error),
        }
        let Some(pending) = &self.pending else { return Ok(None) };
        roll_back(&mut writer, pending).await?;
        settle(&writer, instance)?;
        Ok(Some(News::RolledBack))
    }
}

/// Whether there is a record, and no process was started for it, or that one is gone.
fn is_abandoned(instance: &str) -> bool {
    private::pending(instance).exists() && !is_waited_for(instance)
}
