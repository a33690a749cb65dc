//! Printing on standard output and standard error.

use std::io::{self, Write};

use serde::Serialize;

use super::render::Render;

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
    let _ = writeln!(io::stderr(), "{text}");
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
    fn no_cause_is_printed_twice() {
        let cause = io::Error::other("the cause\n");
        let error = anyhow::Error::new(cause).context("what failed: the cause");
        assert_eq!(error_text(&error), "what failed: the cause");
        let error = anyhow::Error::new(io::Error::other("the cause\n")).context("what failed").context("a command");
        assert_eq!(error_text(&error), "a command: what failed: the cause");
    }
}
