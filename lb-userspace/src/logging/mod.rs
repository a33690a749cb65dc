//! The log, on standard error.
//!
//! Commands write plain lines. The agent and `serve` run for long: their lines have times, or priorities where the
//! journal adds the times, and a line that comes again and again is counted instead of repeated.
//!
//! ```text
//! options  what the command line says     line      a record → a line     repeats   what came before
//! ```

mod line;
mod options;
mod repeats;

use std::{
    io::Write as _,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

pub use self::options::{LogFormat, LogOptions};
use self::{
    line::Style,
    repeats::{Repeats, Summary},
};

/// How often lines whose minute is over are looked for.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// The key of how often a line was left out.
const REPEATED: &str = "repeated";

/// Counts what is repeated before it is written.
struct Logger {
    lines: env_logger::Logger,
    /// `None`: every line is written.
    repeats: Option<Mutex<Repeats>>,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Sets up the log. `long`: of a process that runs for long.
pub fn init(level: LevelFilter, long: Option<LogOptions>) {
    let style = long.map_or(Style::Plain, |options| Style::of(options.log_format));
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).parse_default_env().format(move |out, record| {
        let repeated = record.key_values().get(REPEATED.into()).and_then(|times| times.to_u64());
        let line = style.line(SystemTime::now(), record.level(), &record.args().to_string(), repeated);
        out.write_all(line.as_bytes())
    });
    let repeats = long.map(|_| Mutex::default());
    let logger = LOGGER.get_or_init(|| Logger { lines: builder.build(), repeats });
    // Fails only if there is a log already.
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.lines.filter());
    }
}

/// Writes the number of repeated lines in time, until the future is dropped.
pub async fn count_repeats() {
    loop {
        tokio::time::sleep(FLUSH_INTERVAL).await;
        if let Some(logger) = LOGGER.get() {
            logger.summarise(Repeats::expire);
        }
    }
}

impl Logger {
    fn summarise(&self, over: impl FnOnce(&mut Repeats, Instant) -> Vec<Summary>) {
        let Some(repeats) = &self.repeats else { return };
        let summaries = over(&mut repeats.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        for Summary { level, text, times, within } in summaries {
            let seconds = within.as_secs().max(1);
            self.lines.log(
                &Record::builder()
                    .level(level)
                    .target(module_path!())
                    .key_values(&[(REPEATED, times)])
                    .args(format_args!("… repeated {times} times in {seconds} s: {text}"))
                    .build(),
            );
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.lines.matches(record) {
            return;
        }
        let mut first = true;
        // Whoever asks for details wants all of them.
        let is_counted = record.level() <= Level::Info;
        self.summarise(|repeats, now| {
            if !is_counted {
                return repeats.expire(now);
            }
            let (is_first, summaries) = repeats.add(now, record.level(), &record.args().to_string());
            first = is_first;
            summaries
        });
        if first {
            self.lines.log(record);
        }
    }

    /// Writes the numbers of all repeated lines.
    fn flush(&self) {
        self.summarise(|repeats, now| repeats.end(now));
    }
}
