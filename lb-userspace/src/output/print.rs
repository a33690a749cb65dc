//! Printing on standard output and standard error.

use std::io::{self, Write};

use serde::Serialize;

use super::{pipe::Patient, render::Render};

/// Prints a view on standard output, as one line of JSON or as text. A closed pipe is not an error: the reader has seen
/// enough.
pub fn print<T: Serialize + Render>(value: &T, json: bool) -> io::Result<()> {
    forgive_broken_pipe(emit(value, json))
}

/// Like [`print`], but a closed pipe is an error (`BrokenPipe`): commands that print repeatedly stop then.
pub fn emit<T: Serialize + Render>(value: &T, json: bool) -> io::Result<()> {
    write_line(&if json { serde_json::to_string(value)? } else { value.render() })
}

/// Prints text on standard output, with a line feed at its end. A closed pipe is not an error.
pub fn print_text(text: &str) -> io::Result<()> {
    forgive_broken_pipe(write_line(text))
}

/// Prints a line; as with [`emit`], a closed pipe is an error.
pub fn emit_line(text: &str) -> io::Result<()> {
    write_line(text)
}

fn write_line(text: &str) -> io::Result<()> {
    let mut out = Patient(io::stdout().lock());
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

/// The most lines that a command prints unasked.
const SCREENFUL: usize = 40;

/// How many lines of a longer list are shown.
const SHOWN: usize = 20;

/// The lines of a change, shortened beyond a screenful unless more detail is wanted (`-v`): the first changes, how many
/// more there are of each kind, and everything that is no change.
pub fn change_lines(lines: Vec<String>) -> Vec<String> {
    if log::log_enabled!(log::Level::Info) { lines } else { shortened(lines) }
}

fn shortened(lines: Vec<String>) -> Vec<String> {
    if lines.len() <= SCREENFUL {
        return lines;
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    let (mut short, mut changes, mut place) = (Vec::new(), 0, 0);
    for line in lines {
        let Some(kind) = kind(&line) else {
            short.push(line);
            continue;
        };
        changes += 1;
        if changes <= SHOWN {
            short.push(line);
            place = short.len();
        } else if let Some((_, number)) = kinds.iter_mut().find(|(known, _)| *known == kind) {
            *number += 1;
        } else {
            kinds.push((kind, 1));
        }
    }
    if !kinds.is_empty() {
        let kinds: Vec<_> = kinds.iter().map(|(kind, number)| format!("{number} × {kind}")).collect();
        let more = changes - SHOWN;
        short.insert(place, format!("… and {more} more changes: {}; `-v` shows all", kinds.join(", ")));
    }
    short
}

/// The kind of a change, such as `+ service`; `None`: the line is no change.
fn kind(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let sign = words.next().filter(|sign| matches!(*sign, "+" | "-" | "~" | "!"))?;
    Some(format!("{sign} {}", words.next()?.trim_end_matches(':')))
}

/// The error and its causes, without causes that the text so far already includes.
pub fn error_text(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // A cause may end with a line feed that the text before it leaves out.
        let cause = cause.trim_end();
        if message.is_empty() {
            message += cause;
        } else if !message.contains(cause) {
            message += ": ";
            message += cause;
        }
    }
    message
}

/// Prints a line on standard error. If that cannot be written to, the exit status must do.
pub fn print_error(text: &str) {
    let _ = Patient(io::stderr()).write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_forgiven() {
        assert!(forgive_broken_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(forgive_broken_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn what_exceeds_a_screenful_is_counted() {
        let mut lines = vec!["attached to eth0".to_owned()];
        lines.extend((0..39).map(|number| format!("+ service s{number}: 203.0.113.10, 1 server")));
        assert_eq!(shortened(lines.clone()), lines);
        lines.extend((0..3).map(|number| format!("! brings back s{number} 10.0.0.1")));
        lines.push("42 services, 42 servers".to_owned());
        let short = shortened(lines.clone());
        assert_eq!(short.len(), 23);
        assert_eq!((&short[..21], &short[22]), (&lines[..21], &lines[43]));
        assert_eq!(short[21], "… and 22 more changes: 19 × + service, 3 × ! brings; `-v` shows all");
    }

    #[test]
    fn no_cause_is_printed_twice() {
        let cause = io::Error::other("the cause\n");
        let error = anyhow::Error::new(cause).context("what failed: the cause");
        assert_eq!(error_text(&error), "what failed: the cause");
        let error = anyhow::Error::new(io::Error::other("the cause\n")).context("what failed").context("a command");
        assert_eq!(error_text(&error), "a command: what failed: the cause");
    }
}
