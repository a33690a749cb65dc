//! Printing on standard output.

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
    fn a_broken_pipe_is_forgiven() {
        assert!(forgive_broken_pipe(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(forgive_broken_pipe(Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
