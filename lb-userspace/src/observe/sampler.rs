//! The last two readings of an instance, even if it ends and returns.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    agent_view::{Event, Level, MAX_EVENTS},
    changes,
    reading::Reading,
};
use crate::output::{Rates, error_text};

/// Readings further apart give no current rates.
const LONGEST: Duration = Duration::from_secs(60);

/// The last two readings of an instance, even if it ends and returns.
#[derive(Debug, Default)]
pub struct Sampler {
    now: Option<Arc<Reading>>,
    /// The rates up to `now`.
    rates: Option<Arc<Rates>>,
    error: Option<String>,
    /// Differences seen so far, the newest last.
    events: VecDeque<Event>,
}

impl Sampler {
    /// The latest reading; `None`: [`Sampler::error`] says why the instance cannot be read.
    pub fn now(&self) -> Option<&Arc<Reading>> {
        self.now.as_ref()
    }

    /// The rates at the latest reading; `None`: it is the first in a while.
    pub fn rates(&self) -> Option<&Arc<Rates>> {
        self.rates.as_ref()
    }

    /// Why there is no reading.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Differences between readings, the newest last.
    pub fn events(&self) -> &VecDeque<Event> {
        &self.events
    }

    /// Adds the result of reading an instance.
    pub fn take(&mut self, result: anyhow::Result<Reading>) {
        match result {
            Ok(reading) => self.take_reading(reading),
            Err(error) => {
                let text = error_text(&error);
                if self.error.as_ref() != Some(&text) {
                    self.note(Level::Error, text.clone());
                }
                *self = Self { error: Some(text), events: std::mem::take(&mut self.events), ..Self::default() };
            }
        }
    }

    fn take_reading(&mut self, reading: Reading) {
        if self.error.take().is_some() {
            self.note(Level::Info, "the instance is there".to_owned());
        }
        let before = self.now.take();
        let changes = before.as_ref().map(|before| changes::between(before, &reading)).unwrap_or_default();
        for change in changes {
            self.note(change.level, change.text);
        }
        self.rates = before.as_ref().and_then(|before| {
            let apart = reading.at.duration_since(before.at);
            (apart <= LONGEST).then(|| Rates::between(&before.stats, &reading.stats, apart.as_secs_f64()).into())
        });
        self.now = Some(reading.into());
    }

    fn note(&mut self, level: Level, text: String) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at: SystemTime::now(), level, text });
    }
}
