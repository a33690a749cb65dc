//! `modlb replay`: captures of every kind, through the loaded program and without it, against the oracle's answers.

#[path = "../support/mod.rs"]
mod support;

// The oracle, and what it is asked about.
#[path = "../oracle/config.rs"]
mod config;
#[path = "../oracle/frames.rs"]
mod frames;
#[path = "../oracle/judge.rs"]
mod judge;
#[path = "../oracle/outcome.rs"]
mod outcome;
#[path = "../oracle/packet.rs"]
mod packet;
#[path = "../oracle/random.rs"]
mod random;
#[path = "../oracle/tables.rs"]
mod tables;

mod agree;
mod capture;
mod command;
mod cut;
mod expect;
mod own;
mod private;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use support::capture::{FORMATS, File, Format};

const PCAP: Format = FORMATS[0];

/// The addresses of the oracle's gateway and the broadcast address of its network.
const OWN_ADDRESSES: &str = "10.0.0.1,fd00::1,10.0.0.255";

/// A directory with a capture and configurations.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A file of this name.
    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A capture of these frames.
    fn capture<'a>(&self, name: &str, frames: impl IntoIterator<Item = &'a Vec<u8>>) -> PathBuf {
        self.put(name, File::with(PCAP, frames))
    }

    /// `modlb replay` in this directory.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
        command.arg("replay").args(arguments.split_whitespace()).current_dir(self.directory.path());
        command.stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints, as JSON; it must succeed.
    fn json(&self, arguments: &str) -> Value {
        let output = self.output(&format!("{arguments} --json"));
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        assert!(output.stderr.is_empty(), "{arguments}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The error of a call that must fail with status 1, and what it prints nevertheless.
    fn fails(&self, arguments: &str) -> (String, String) {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", stderr(&output));
        let error = stderr(&output);
        let error = error.strip_prefix("error: ").unwrap_or_else(|| panic!("{arguments}: {error}"));
        (error.trim_end().to_owned(), String::from_utf8(output.stdout).unwrap())
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The figures without who found them.
fn figures(mut replay: Value) -> Value {
    assert!(replay.as_object_mut().unwrap().remove("judged_by").is_some());
    replay
}

/// A service for web servers, as many as are numbered.
fn web(servers: &[u8]) -> String {
    let mut text =
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10\"\nprotocol = \"tcp\"\nport = 80\n".to_owned();
    for number in servers {
        text += &format!("[[service.server]]\naddress = \"10.0.0.{number}\"\n");
    }
    text
}

/// A packet of that service, 66 bytes long.
fn web_frame(client: u32) -> Vec<u8> {
    use support::frame::{TCP, ip, ports, to_gateway};
    let client = std::net::Ipv4Addr::from_bits(0xc633_6400 + client);
    to_gateway(&ip(client.into(), [203, 0, 113, 10].into(), TCP, &ports(40_000, 80)))
}
