//! The command line as a user meets it, without root.

mod check;
mod explain;
mod help;
mod transition;

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// Runs the command with these arguments and this standard input.
fn modlb_with(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn modlb(arguments: &[&str]) -> Output {
    modlb_with(arguments, "")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a command prints that must succeed.
fn ok(arguments: &[&str]) -> String {
    let output = modlb(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// The error of a command that must fail with this status.
fn fails(arguments: &[&str], status: i32) -> String {
    let output = modlb(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

/// A file with this text, for as long as the directory lives.
fn file(directory: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("modlb.toml");
    std::fs::write(&path, text).unwrap();
    path
}
