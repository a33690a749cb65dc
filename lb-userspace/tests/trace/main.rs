//! `modlb trace` and `modlb logs`: what they report, what they leave alone, and how they end.

#[path = "../support/mod.rs"]
mod support;

// Random configurations and frames.
#[path = "../oracle/config.rs"]
mod config;
#[path = "../oracle/frames.rs"]
mod frames;
#[path = "../oracle/random.rs"]
mod random;

mod capture;
mod filters;
mod killed;
mod lines;
mod logs;
mod meanwhile;
mod same;
mod stuck;

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::modlb::Modlb;

/// How long a command may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A command that traces.
struct Tracing {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Tracing {
    /// Starts it, and returns when it has swapped the programs.
    fn start(modlb: &Modlb, arguments: &str) -> Self {
        let (out, err) = (modlb.file("out", ""), modlb.file("err", ""));
        let mut command = modlb.command(arguments);
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).stdin(Stdio::null());
        let tracing = Self { child: command.spawn().unwrap(), out, err };
        tracing.wait(|| is_traced(modlb), "it does not begin");
        tracing
    }

    fn wait(&self, over: impl Fn() -> bool, what: &str) {
        let start = Instant::now();
        while !over() {
            assert!(start.elapsed() < PATIENCE, "{what}: {}", fs::read_to_string(&self.err).unwrap());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Interrupts it; returns what it printed, and what it said.
    fn end(self, modlb: &Modlb) -> (String, String) {
        self.signal(Signal::SIGINT);
        self.ended(modlb)
    }

    /// Waits until it ends.
    fn ended(mut self, modlb: &Modlb) -> (String, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", fs::read_to_string(&self.err).unwrap());
            thread::sleep(Duration::from_millis(5));
        };
        let said = fs::read_to_string(&self.err).unwrap();
        assert!(status.success(), "{status}: {said}");
        assert!(!is_traced(modlb), "it ended, and the ordinary program is not back");
        (fs::read_to_string(&self.out).unwrap(), said)
    }

    /// Its watchdog.
    fn watchdog(&self) -> Pid {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(children).unwrap();
        Pid::from_raw(children.split_whitespace().next().unwrap().parse().unwrap())
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_traced(modlb: &Modlb) -> bool {
    let status = modlb.json("status");
    status["interfaces"].as_array().unwrap().iter().any(|interface| interface["traced"] == true)
}

fn program_id(modlb: &Modlb) -> u64 {
    modlb.json("status")["interfaces"][0]["program_id"].as_u64().unwrap()
}

/// What `--json` printed.
fn events(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Seen, shown, lost.
fn summary(said: &str) -> [u64; 3] {
    let line = said.lines().last().unwrap();
    let numbers: Vec<_> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{said}"))
}

/// A service of each family with three servers whose MACs are given, one of all protocols without servers, and one that
/// balances fragments.
const SERVICES: &str = r#"
    [[service]]
    name = "web4"
    address = "203.0.113.10"
    protocol = "tcp"
    port = 80
    server = [
        { address = "10.0.0.11", mac = "02:00:00:00:00:11" },
        { address = "10.0.0.12", mac = "02:00:00:00:00:12" },
        { address = "10.0.0.13", mac = "02:00:00:00:00:13" },
    ]

    [[service]]
    name = "web6"
    address = "2001:db8:f00::10"
    protocol = "tcp"
    port = 80
    formula = "5-tuple"
    server = [
        { address = "fd00::11", mac = "02:00:00:00:00:21" },
        { address = "fd00::12", mac = "02:00:00:00:00:22" },
        { address = "fd00::13", mac = "02:00:00:00:00:23" },
    ]

    [[service]]
    name = "udp6"
    address = "2001:db8:f00::/48"
    protocol = "udp"
    port = 53
    fragments = "balance"
    server = [{ address = "fd00::14", mac = "02:00:00:00:00:24" }, { address = "fd00::15", mac = "02:00:00:00:00:25" }]

    [[service]]
    name = "empty"
    address = "203.0.113.11"
"#;
