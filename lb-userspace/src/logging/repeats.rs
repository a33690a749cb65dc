//! Lines that come again within a minute are counted.
//!
//! One that follows itself is not written again. One that comes after others may say that something is as it was
//! before, such as an interface that goes down and up, so it is written a few times.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use log::Level;

/// For this long, a line is not repeated.
const WINDOW: Duration = Duration::from_secs(60);

/// How often a line is written within that time, if others come in between.
const MAX_WRITTEN: u32 = 3;

/// How many lines are remembered; beyond that the oldest is forgotten.
const MAX_LINES: usize = 256;

/// How much of a line is remembered for its summary.
const MAX_TEXT: usize = 200;

/// A line that was not repeated.
#[derive(Debug, Eq, PartialEq)]
pub struct Summary {
    /// Its level.
    pub level: Level,
    /// Its beginning.
    pub text: String,
    /// How many times it was left out.
    pub times: u64,
    /// Within which time.
    pub within: Duration,
}

/// A line of the last minute.
#[derive(Debug)]
struct Line {
    level: Level,
    text: String,
    /// When it was written, or its last summary.
    since: Instant,
    /// How often it was written since then.
    written: u32,
    /// How often it was left out since then.
    times: u64,
}

/// The lines of the last minute, by their digest.
#[derive(Debug, Default)]
pub struct Repeats {
    state: RandomState,
    lines: HashMap<u64, Line>,
    /// The line that was written last.
    last: u64,
}

impl Repeats {
    /// Adds a line: whether to write it, and what to write before it.
    pub fn add(&mut self, now: Instant, level: Level, text: &str) -> (bool, Vec<Summary>) {
        let mut summaries = self.expire(now);
        let key = self.state.hash_one((level, text));
        let last = std::mem::replace(&mut self.last, key);
        if let Some(line) = self.lines.get_mut(&key) {
            let again = last != key && line.written < MAX_WRITTEN;
            if again {
                line.written += 1;
            } else {
                line.times += 1;
                self.last = last;
            }
            return (again, summaries);
        }
        if self.lines.len() >= MAX_LINES {
            summaries.extend(self.forget_oldest(now));
        }
        let text = text.chars().take(MAX_TEXT).collect();
        self.lines.insert(key, Line { level, text, since: now, written: 1, times: 0 });
        (true, summaries)
    }

    /// Summaries of lines whose minute is over. A line that was left out stays so for another minute.
    pub fn expire(&mut self, now: Instant) -> Vec<Summary> {
        let mut summaries = Vec::new();
        self.lines.retain(|_, line| {
            let over = now.saturating_duration_since(line.since) >= WINDOW;
            let summary = if over { line.summary(now) } else { None };
            let stays = !over || summary.is_some();
            summaries.extend(summary);
            stays
        });
        summaries
    }

    /// Summaries of all lines, which are forgotten.
    pub fn end(&mut self, now: Instant) -> Vec<Summary> {
        self.lines.drain().filter_map(|(_, mut line)| line.summary(now)).collect()
    }

    fn forget_oldest(&mut self, now: Instant) -> Option<Summary> {
        let oldest = *self.lines.iter().min_by_key(|(_, line)| line.since)?.0;
        self.lines.remove(&oldest)?.summary(now)
    }
}

impl Line {
    /// `None`: it did not come again.
    fn summary(&mut self, now: Instant) -> Option<Summary> {
        let within = now.saturating_duration_since(self.since);
        let times = std::mem::take(&mut self.times);
        (self.since, self.written) = (now, 0);
        (times > 0).then(|| Summary { level: self.level, text: self.text.clone(), times, within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_line_is_written_once_and_counted_afterwards() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.add(start, Level::Warn, "a"), (true, vec![]));
        for second in 1..=57 {
            assert_eq!(repeats.add(at(start, second), Level::Warn, "a"), (false, vec![]));
        }
        // Others are written all the same, also of another level.
        assert!(repeats.add(at(start, 58), Level::Error, "a").0 && repeats.add(at(start, 58), Level::Warn, "b").0);
        assert_eq!(repeats.expire(at(start, 59)), []);
        let summary = |times, seconds| Summary {
            level: Level::Warn,
            text: "a".to_owned(),
            times,
            within: Duration::from_secs(seconds),
        };
        assert_eq!(repeats.expire(at(start, 60)), [summary(57, 60)]);
        // It goes on, and then it ends.
        assert!(repeats.add(at(start, 61), Level::Warn, "a").0);
        assert!(!repeats.add(at(start, 61), Level::Warn, "a").0);
        assert_eq!(repeats.expire(at(start, 125)), [summary(1, 65)]);
        assert_eq!(repeats.expire(at(start, 185)), []);
        assert!(repeats.add(at(start, 186), Level::Warn, "a").0);
    }

    /// The last line that is written tells how it is, unless it changes all the time.
    #[test]
    fn lines_that_alternate_are_written_a_few_times() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let mut written = Vec::new();
        for _ in 0..30 {
            for text in ["eth0 is down", "eth0 is up"] {
                written.extend(repeats.add(now, Level::Info, text).0.then_some(text));
            }
        }
        assert_eq!(written, ["eth0 is down", "eth0 is up"].repeat(3));
        assert_eq!(repeats.end(now).iter().map(|summary| summary.times).sum::<u64>(), 54);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        repeats.add(start, Level::Info, "first");
        repeats.add(start, Level::Info, "first");
        let mut summaries = Vec::new();
        for number in 0..10_000_u64 {
            let text = format!("{number}{}", "x".repeat(10_000));
            let (written, more) = repeats.add(start + Duration::from_millis(number), Level::Info, &text);
            assert!(written);
            summaries.extend(more);
        }
        assert_eq!(summaries.len(), 1);
        assert_eq!(repeats.lines.len(), MAX_LINES);
        assert!(repeats.lines.values().all(|line| line.text.len() <= MAX_TEXT));
        assert_eq!(repeats.end(start), []);
    }
}
