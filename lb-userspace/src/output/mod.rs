//! What reading commands print: views, as JSON and as text.
//!
//! The JSON is an interface that programs rely on: its shapes are pinned by tests. The text is for people and may change.

use std::{
    fmt::Display,
    io::{self, Write},
};

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use lb_common::mac::Mac;
use serde::{Serialize, Serializer};

pub use self::{
    doctor::DoctorView,
    explain::ExplainView,
    replay::{ChangeView, CutView, JudgedView, MovesView, ReplayServer, ReplayService, ReplayView, WorstView},
    stats::{OutcomesView, ServerStats, ServiceStats, StatsRates, StatsView, Traffic},
    status::{
        Activity, InterfaceView, MemberView, ServerRow, ServerView, ServersView, ServiceView, ServicesView, StatusView,
        UnconfirmedView,
    },
    trace::{TraceLines, TraceSummary, TraceView},
};

mod doctor;
mod explain;
mod replay;
mod stats;
mod status;
mod trace;

/// What can be shown to a person.
pub trait Render {
    /// The text, without a line feed at its end.
    fn render(&self) -> String;
}

/// Prints a view on standard output, as one line of JSON or as text. A reader that has gone away is no error: it had
/// enough.
pub fn print<T: Serialize + Render>(value: &T, json: bool) -> io::Result<()> {
    forgive_broken_pipe(emit(value, json))
}

/// As [`print`], but a reader that has gone away is an error (`BrokenPipe`), for those who print again and again and
/// want to know when to stop.
pub fn emit<T: Serialize + Render>(value: &T, json: bool) -> io::Result<()> {
    write_line(&if json { serde_json::to_string(value)? } else { value.render() })
}

/// Prints text on standard output; a line feed is added unless it ends with one. A reader that has gone away is no error.
pub fn print_text(text: &str) -> io::Result<()> {
    forgive_broken_pipe(write_line(text))
}

/// Prints a line; as with [`emit`], a reader that has gone away is an error.
pub fn emit_line(text: &str) -> io::Result<()> {
    write_line(text)
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn forgive_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The error and its causes, each unless what was said before includes it.
pub fn error_text(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message += ": ";
            message += &cause;
        }
    }
    message
}

/// A table with these columns; those named in `numbers` are aligned to the right. On a terminal it fits the width,
/// elsewhere every row is one line.
fn table(columns: &[&str], numbers: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(Row::from(columns.to_vec()));
    for (name, column) in columns.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, 2));
        if numbers.contains(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The text for a part that may be missing.
fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn serialize_mac<S: Serializer>(mac: &Option<Mac>, serializer: S) -> Result<S::Ok, S::Error> {
    match mac {
        Some(mac) => serializer.collect_str(mac),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_error() {
        assert!(forgive_broken_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(forgive_broken_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
