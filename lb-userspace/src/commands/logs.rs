//! `modlb logs`.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use aya_log::EbpfLogger;
use lb_common::trace::Filter;
use log::{Log, Metadata, Record};
use serde::Serialize;

use crate::{
    cli::{self, Logs},
    datapath::{Datapath, tracing::TraceOutput},
    output::{emit_line, end_waits_on, print_error},
    trace::{
        clock,
        query::{Depth, TraceQuery, split},
        session::Session,
    },
};

/// How often messages are fetched. A ring buffer of aya-log holds some hundred.
const FETCH: Duration = Duration::from_millis(2);

pub async fn run(instance: &str, options: &Logs) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    let filter = filter(options, &datapath)?;
    let output = TraceOutput::Messages(level(options.level));
    // Before the session handles them.
    end_waits_on(&[libc::SIGINT, libc::SIGTERM])?;
    let mut session = Session::start(instance, &options.interface, &filter, output).await?;
    let mut loggers = Vec::new();
    let closed = Arc::new(AtomicBool::new(false));
    for tracer in &mut session.tracers {
        let lines =
            Lines { interface: tracer.interface.name.clone(), json: options.format.json, closed: Arc::clone(&closed) };
        loggers.push(tracer.messages(lines)?);
    }
    let fetch = || {
        loggers.iter_mut().for_each(EbpfLogger::flush);
        Ok(if closed.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let result = session.watch(&datapath, FETCH, options.seconds, fetch).await;
    session.end()?;
    loggers.iter_mut().for_each(EbpfLogger::flush);
    let counters = session.counters()?;
    print_error(&format!("{} packets seen, {} matched", counters.seen, counters.fit));
    Ok(result?)
}

fn filter(options: &Logs, datapath: &Datapath) -> Result<Filter> {
    let query = TraceQuery { address: options.address, sample: options.sample, ..TraceQuery::default() };
    Ok(split(&query, Depth::Headers, &datapath.snapshot())?.0)
}

const fn level(level: cli::Level) -> aya_log::Level {
    match level {
        cli::Level::Error => aya_log::Level::Error,
        cli::Level::Warn => aya_log::Level::Warn,
        cli::Level::Info => aya_log::Level::Info,
        cli::Level::Debug => aya_log::Level::Debug,
        cli::Level::Trace => aya_log::Level::Trace,
    }
}

/// A message as JSON.
#[derive(Serialize)]
struct Message<'a> {
    time: &'a str,
    interface: &'a str,
    level: &'a str,
    message: &'a str,
}

/// Prints the messages of an interface's program.
#[derive(Debug)]
struct Lines {
    interface: String,
    json: bool,
    /// Standard output is closed.
    closed: Arc<AtomicBool>,
}

impl Log for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (level, message) = (record.level().as_str().to_lowercase(), record.args().to_string());
        let line = if self.json {
            let time = clock::rfc3339(now);
            let message = Message { time: &time, interface: &self.interface, level: &level, message: &message };
            serde_json::to_string(&message).unwrap_or_default()
        } else {
            format!("{}  {}  {level:5}  {message}", clock::of_day(now), self.interface)
        };
        if emit_line(&line).is_err() {
            self.closed.store(true, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}
