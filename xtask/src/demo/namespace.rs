//! Network namespaces of the demonstration, all called `modlb-demo-…`.
//!
//! Trap: `ip netns exec` mounts another /sys for its child, and pins made there are lost with it; `nsenter` and modlb's
//! `--netns` do not.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::process::capture;

/// The name of a host's namespace.
pub fn name(host: &str) -> String {
    format!("modlb-demo-{host}")
}

/// The file by which it can be entered.
pub fn path(host: &str) -> PathBuf {
    Path::new("/run/netns").join(name(host))
}

/// Makes one.
pub fn add(host: &str) -> Result<()> {
    capture(Command::new("ip").args(["netns", "add", &name(host)]).process_group(0))?;
    ip(host, "link set lo up")
}

/// Removes one and kills what still runs in it.
pub fn remove(host: &str) {
    if !path(host).exists() {
        return;
    }
    kill_all(host);
    let deleted = capture(Command::new("ip").args(["netns", "del", &name(host)]).process_group(0));
    if let Err(error) = deleted {
        eprintln!("warning: {error:#}");
    }
}

/// Kills everything that runs in one, at once: a child that saw its parent die would still have time to end in an
/// orderly way.
pub fn kill_all(host: &str) {
    let pids = capture(Command::new("ip").args(["netns", "pids", &name(host)]).process_group(0)).unwrap_or_default();
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in pids.lines().filter_map(|line| line.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Runs `ip` in a host's namespace.
pub fn ip(host: &str, arguments: &str) -> Result<()> {
    let mut ip = Command::new("ip");
    capture(ip.args(["-netns", &name(host)]).args(arguments.split(' ')).process_group(0)).map(drop)
}

/// A program in a host's namespace, out of reach of the terminal's Ctrl-C.
pub fn within(host: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", path(host).display())).arg("--").arg(program).process_group(0);
    command
}
