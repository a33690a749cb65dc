//! `modlb trace`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use aya::maps::{MapData, RingBuf};
use lb_common::{
    outcome::{Action, Outcome},
    trace::TraceEvent,
};

use crate::{
    cli::Trace,
    config::{model::Role, protocol::protocol_name},
    datapath::{Datapath, tracing::TraceOutput},
    net::Net,
    output::{Patient, TraceLines, TraceSummary, TraceView, emit_line, end_waits_on, is_ended, print_error},
    trace::{
        clock::{self, Clock},
        frame,
        names::{NameHistory, Takers},
        packet::TracedPacket,
        pcapng::{Direction, Packet, Writer},
        query::{Depth, NameFilter, split},
        session::Session,
    },
};

/// How often events are fetched.
const FETCH: Duration = Duration::from_millis(20);

/// Bytes for the events of an interface: some 16,000 events with headers, or 8,000 with frames of 2 × 1,500 bytes.
const HEADER_BUFFER: u32 = 4 << 20;
const FRAME_BUFFER: u32 = 32 << 20;

pub async fn run(instance: &str, options: &Trace) -> Result<()> {
    let datapath = Datapath::open(instance)?;
    let mut names = NameHistory::new(&datapath);
    let (depth, room) =
        if options.pcap.is_some() { (Depth::Whole, FRAME_BUFFER) } else { (Depth::Headers, HEADER_BUFFER) };
    let snapshot = datapath.snapshot();
    let (filter, filter_names) = split(&options.which.clone().into(), depth, &snapshot)?;
    // Before the session handles them.
    end_waits_on(&[libc::SIGINT, libc::SIGTERM])?;
    let mut session = Session::start(instance, &options.which.interface, &filter, TraceOutput::Events(room)).await?;
    // Not before: a trace that is refused leaves the file as it is.
    let sink = match Sink::open(options, datapath.role()).await {
        Ok(sink) => sink,
        Err(error) => {
            session.end()?;
            return Err(error);
        }
    };
    let events = session.tracers.iter_mut().map(|tracer| tracer.events()).collect::<Result<Vec<_>, _>>()?;
    let interfaces = Net::open()?.interfaces().await?;
    let interfaces = interfaces.into_iter().map(|interface| (interface.index, interface.name)).collect();
    let mut view = Viewer { events, interfaces, filter_names, sink, shown: 0, most: options.count };
    let fetch = || view.fetch(&mut names);
    let result = session.watch(&datapath, FETCH, options.seconds, fetch).await;
    session.end()?;
    // Events that were emitted until then.
    let result = result.and_then(|()| view.fetch(&mut names).map(drop));
    let counters = session.counters()?;
    print_error(&TraceSummary { seen: counters.seen, shown: view.shown, lost: counters.lost }.line());
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Turns events into lines or frames.
struct Viewer {
    events: Vec<RingBuf<MapData>>,
    /// Names of interfaces, including those that frames leave on.
    interfaces: std::collections::HashMap<u32, String>,
    filter_names: NameFilter,
    sink: Sink,
    shown: u64,
    most: Option<u64>,
}

impl Viewer {
    /// Shows the events since the last call, in order of time, until `most` are shown.
    fn fetch(&mut self, names: &mut NameHistory<'_>) -> io::Result<ControlFlow<()>> {
        names.refresh();
        let mut all = Vec::new();
        for events in &mut self.events {
            while let Some(event) = events.next() {
                all.extend(TracedPacket::read(&event));
            }
        }
        all.sort_by_key(|event| event.record.time);
        let clock = Clock::now();
        for event in all {
            if self.is_done() {
                break;
            }
            let takers = names.takers(&event);
            if let Some(outcome) = event.outcome()
                && self.filter_names.takes(&takers)
            {
                let time = clock.wall(event.record.time);
                let view = self.view(&event, outcome, &takers, time);
                self.sink.show(&event, &view, time)?;
                self.shown += 1;
            }
        }
        self.sink.flush()?;
        Ok(if self.is_done() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn is_done(&self) -> bool {
        self.most.is_some_and(|most| self.shown >= most)
    }

    fn name(&self, interface: u32) -> String {
        self.interfaces.get(&interface).cloned().unwrap_or_else(|| format!("#{interface}"))
    }

    fn view(&self, event: &TracedPacket, outcome: Outcome, takers: &Takers<'_>, time: Duration) -> TraceView {
        let TraceEvent { interface, egress, length, frames, slots, slot, action, .. } = event.record;
        let (bytes, whole) = (&event.before[..], length as usize);
        let link = frame::link_layer(bytes, whole);
        let tuple = event.tuple().or_else(|| frame::tuple(bytes, whole));
        let chosen = event.counter().is_some();
        TraceView {
            time: clock::rfc3339(time),
            time_of_day: clock::of_day(time),
            interface: self.name(interface),
            outcome,
            action: action_name(outcome, action),
            protocol: tuple.map(|tuple| protocol_name(tuple.protocol).into_owned()),
            source: tuple.map(|tuple| tuple.source),
            source_port: tuple.map(|tuple| tuple.source_port),
            destination: tuple.map(|tuple| tuple.destination),
            destination_port: tuple.map(|tuple| tuple.destination_port),
            fragment: tuple.is_some_and(|tuple| tuple.fragment),
            icmp_error: frame::is_error(bytes, whole),
            reply: event.is_reply(),
            service: takers.service.map(|service| service.name.clone()),
            formula: event.formula(),
            sum: event.sum().map(|sum| sum.to_string()),
            slots: (slots != 0).then_some(slots),
            slot: chosen.then_some(slot),
            server: takers.server,
            sent_by: (egress != 0).then(|| self.name(egress)),
            generation: event.control().generation(),
            length,
            frames,
            source_mac: link.map(|link| link.source.to_string()),
            destination_mac: link.map(|link| link.destination.to_string()),
            ether_type: link.map(|link| format!("{:#06x}", link.ether_type)),
        }
    }
}

/// The name of an XDP action. The numbers of TC actions overlap with XDP's; on egress the outcome decides between them.
const fn action_name(outcome: Outcome, action: u32) -> &'static str {
    const TC_ACT_SHOT: u32 = 2;
    const TC_ACT_REDIRECT: u32 = 7;
    const TC_ACT_UNSPEC: u32 = u32::MAX;
    match (action, outcome) {
        (1, _) => "drop",
        (TC_ACT_SHOT, outcome) if matches!(outcome.action(), Action::Drop) => "drop",
        (2 | TC_ACT_UNSPEC, _) => "pass",
        (3, _) => "tx",
        (4 | TC_ACT_REDIRECT, _) => "redirect",
        _ => "aborted",
    }
}

/// Where events go.
enum Sink {
    Lines(TraceLines),
    Json,
    Capture(Box<Capture>),
}

/// A capture of frames.
struct Capture {
    writer: Writer<BufWriter<Box<dyn Write>>>,
    /// The way of frames when the program sees them.
    seen: Direction,
}

impl Sink {
    async fn open(options: &Trace, role: Role) -> Result<Self> {
        let Some(path) = &options.pcap else {
            return Ok(if options.format.json { Self::Json } else { Self::Lines(TraceLines::default()) });
        };
        let out: Box<dyn Write> = if path == Path::new("-") {
            Box::new(Patient(io::stdout()))
        } else {
            Box::new(Patient(create(path).await.with_context(|| path.display().to_string())?))
        };
        let writer = Writer::new(BufWriter::new(out)).with_context(|| path.display().to_string())?;
        let seen = match role {
            Role::Balancer | Role::Member | Role::Keep => Direction::In,
            Role::Steer => Direction::Out,
        };
        Ok(Self::Capture(Box::new(Capture { writer, seen })))
    }

    fn show(&mut self, event: &TracedPacket, view: &TraceView, time: Duration) -> io::Result<()> {
        match self {
            Self::Lines(lines) => emit_line(&lines.line(view)),
            Self::Json => emit_line(&serde_json::to_string(view)?),
            Self::Capture(capture) => capture.write(event, view, time),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Lines(_) | Self::Json => Ok(()),
            Self::Capture(capture) => capture.writer.flush(),
        }
    }
}

/// Creates a file. A named pipe is opened when somebody reads it, or a signal ends the command.
async fn create(path: &Path) -> io::Result<File> {
    const LOOK: Duration = Duration::from_millis(50);
    if !std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo()) {
        return File::create(path);
    }
    loop {
        match File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) && !is_ended() => tokio::time::sleep(LOOK).await,
            opened => return opened,
        }
    }
}

impl Capture {
    /// Writes the frame as it came and, if it was changed, as it left.
    fn write(&mut self, event: &TracedPacket, view: &TraceView, time: Duration) -> io::Result<()> {
        let comment = view.comment();
        let before = Packet {
            interface: &view.interface,
            time,
            bytes: &event.before,
            length: event.record.length as usize,
            direction: self.seen,
            comment: &comment,
        };
        self.writer.write(&before)?;
        if event.after.is_empty() {
            return Ok(());
        }
        self.writer.write(&Packet {
            interface: view.sent_by.as_deref().unwrap_or(&view.interface),
            bytes: &event.after,
            length: event.record.after_length as usize,
            direction: if view.action == "pass" { self.seen } else { Direction::Out },
            comment: &format!("{comment}; as rewritten"),
            ..before
        })
    }
}
