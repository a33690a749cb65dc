//! Standard output.

use std::io::{self, Write};

use serde::Serialize;

use super::render::Render;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_error() {
        assert!(forgive_broken_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(forgive_broken_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
