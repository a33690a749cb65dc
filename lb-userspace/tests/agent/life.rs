//! What the agent says to systemd and in its log, and how it ends.

use std::os::unix::fs::MetadataExt as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    need_root,
    process::{Agent, on_eth0, replace},
    support::{network::Network, wait::wait},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn systemd_is_told_that_the_agent_is_alive() {
    need_root!();
    let network = Network::new(1, 1);
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(1, HTTP)));
    let agent = Agent::spawn_with(&network.modlb, &file, "", |command, _| {
        command.env("WATCHDOG_USEC", "400000");
    });
    agent.notifies("READY=1");
    for _ in 0..5 {
        agent.notifies("WATCHDOG=1");
    }
    // Without being asked, it says nothing.
    agent.stop();
    let agent = Agent::start(&network.modlb, &file, "");
    replace(&file, &on_eth0(&network.configuration(1, "protocol = \"tcp\"\nport = 0")));
    assert!(!agent.notifies("refused").contains("WATCHDOG"));
}

/// A server that does not answer is waited for, but not when the agent is to end.
#[test]
fn the_agent_ends_while_it_asks_for_servers() {
    need_root!();
    let network = Network::new(1, 1);
    let silent = "[[service]]\nname = \"s\"\naddress = \"203.0.113.9\"\n[[service.server]]\naddress = \"10.0.0.99\"\n";
    let file = network.modlb.file("agent.toml", &on_eth0(silent));
    let mut agent = Agent::spawn(&network.modlb, &file, "");
    // It asks once it has made the instance's maps.
    wait(|| network.modlb.pins().exists(), || agent.log());
    agent.signal(Signal::SIGTERM);
    assert!(agent.end().success(), "{}", agent.log());
    // What was begun was undone, unless it was complete before the signal came.
    let complete = agent.log().contains("is in force");
    assert_eq!(network.modlb.pins().exists(), complete, "{}", agent.log());
}

#[test]
fn log_lines_have_what_their_reader_needs() {
    need_root!();
    let network = Network::new(1, 1);
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(1, HTTP)));
    // A file or a terminal has no times of its own.
    let agent = Agent::start(&network.modlb, &file, "");
    let log = agent.stopped();
    let is_timed = |line: &str| line.get(10..11) == Some("T") && line.get(23..30) == Some("Z info:");
    assert!(!log.is_empty() && log.lines().all(is_timed), "{log}");
    // The journal has.
    let agent = Agent::spawn_with(&network.modlb, &file, "", |command, log| {
        let found = log.metadata().unwrap();
        command.env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino()));
    });
    agent.notifies("READY=1");
    let log = agent.stopped();
    assert!(!log.is_empty() && log.lines().all(|line| line.starts_with("<6>")), "{log}");
    let agent = Agent::start(&network.modlb, &file, "--log-format json");
    let log = agent.stopped();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"] == "info" && line["message"].is_string() && line["time"].is_string(), "{line}");
    }
    assert!(!log.is_empty());
}

#[test]
fn a_line_that_comes_again_is_counted() {
    need_root!();
    let network = Network::new(1, 1);
    let file = network.modlb.file("agent.toml", &on_eth0(&network.configuration(1, HTTP)));
    let agent = Agent::start(&network.modlb, &file, "");
    let bad = "[[service]]\nname = \"a\"\naddress = \"x\"\n";
    replace(&file, bad);
    agent.notifies("refused");
    for _ in 0..5 {
        agent.signal(Signal::SIGHUP);
        agent.notifies("RELOADING=1");
        agent.notifies("refused");
    }
    assert_eq!(agent.count("is not put in force"), 1, "{}", agent.log());
    let log = agent.stopped();
    let summary = log.lines().find(|line| line.contains("… repeated 5 times in ")).unwrap_or_else(|| panic!("{log}"));
    assert!(summary.contains("is not put in force"), "{summary}");
}
