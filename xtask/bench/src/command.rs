//! Running other programs, out of reach of the terminal's Ctrl-C, which this process handles.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs a program and returns what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let output =
        command.stdin(Stdio::null()).process_group(0).output().with_context(|| format!("cannot run {name}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, text(&output.stderr).trim());
    }
    Ok(text(&output.stdout))
}
