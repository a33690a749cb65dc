//! The waiting process's own control group.
//!
//! logind with `KillUserProcesses=yes` kills all processes of a login's control group when the login ends, and systemd
//! those of a unit. So the process gets a transient unit where systemd runs: a scope, which keeps the caller's network
//! namespace and file descriptors, as no service does.

use std::{path::Path, process::Command};

/// A command that runs this program with these arguments in a scope of systemd; `None`: systemd does not run.
pub(super) fn command(arguments: &[&str]) -> Option<Command> {
    // As sd_booted(3) finds out.
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let process = std::process::id();
    let mut command = Command::new("systemd-run");
    command.args(["--scope", "--quiet", "--collect", "--no-ask-password", "--slice=system.slice"]);
    command
        .args([&format!("--unit=modlb-confirm-{process}"), "--description=rolls back unless `modlb confirm` follows"]);
    // This program, even if its file was replaced. This process is there until the other one waits.
    command.arg("--").arg(format!("/proc/{process}/exe")).args(arguments);
    Some(command)
}
