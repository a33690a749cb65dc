//! Ordinary commands while an agent runs.

use std::{process::Command, thread, time::Duration};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};

use crate::{
    need_root,
    process::{Agent, on_eth0, replace, server},
    support::{
        network::{Network, server_address},
        wait::wait,
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

#[test]
fn commands_keep_working_and_the_agent_notices_them() {
    need_root!();
    let network = Network::new(3, 1);
    let modlb = &network.modlb;
    let (file, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    // The agent looks after a server that a command adds as well.
    let third = server_address(false, 2);
    modlb.ok(&format!("server add web4 {third}"));
    agent.logs("a command changed the configuration");
    wait(
        || network.gateway.run("ip", "neigh show 10.0.0.13 dev eth0").contains("managed"),
        || network.gateway.run("ip", "neigh show"),
    );
    modlb.ok(&format!("server remove web4 {third}"));
    wait(
        || !network.gateway.run("ip", "neigh show 10.0.0.13 dev eth0").contains("managed"),
        || network.gateway.run("ip", "neigh show"),
    );
    modlb.apply(&network.configuration(3, HTTP));
    assert_eq!(modlb.json("status")["services"][0]["n"], 3);
    modlb.ok("standby");
    assert_eq!(modlb.json("status")["state"], "standby");
    modlb.ok("activate");
    modlb.ok("upgrade");
    // Another interface is attached by hand, and detached.
    network.gateway.ip("link add eth9 address 02:00:00:00:09:09 type veth peer name peer9");
    network.gateway.ip("link set eth9 up");
    // Without a program there, a veth takes no frames that XDP redirects to its other end.
    network.pass(true);
    modlb.ok("attach eth9");
    assert_eq!(modlb.json("status")["interfaces"].as_array().unwrap().len(), 2);
    // A busy agent looks less often than commands can follow each other.
    agent.logs("a command attached to eth9");
    modlb.ok("detach eth9");
    agent.logs("a command detached from eth9");
    assert_eq!(server(modlb, "web4", third)["state"], "up");

    // The whole instance is removed, and stays so until the file changes.
    modlb.ok("detach");
    agent.logs("the instance was removed by a command");
    thread::sleep(Duration::from_secs(1));
    assert!(!modlb.pins().exists());
    replace(&file, &on_eth0(&network.configuration(1, HTTP)));
    wait(|| modlb.output("status").status.success(), || agent.log());
    assert_eq!(modlb.json("status")["services"][0]["n"], 1);
    // The agent also follows an instance that is made by hand.
    modlb.ok("detach");
    modlb.attach("eth0", &network.configuration(2, HTTP));
    // On a busy machine the agent may have seen the removal first.
    let follows = || {
        let log = agent.log();
        log.contains("another instance has replaced this one\n")
            || log.contains("an instance was made by a command; the agent follows it\n")
    };
    wait(follows, || agent.log());
}

/// Runs a command that stops after some steps, for the agent to look, and then goes on. Returns whether it has so many.
fn has_steps(mut command: Command, steps: u32) -> bool {
    let mut child = command.env("MODLB_TEST_STOP_AFTER_STEP", steps.to_string()).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let ends = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let stopped = matches!(waitid(Id::Pid(pid), ends).unwrap(), WaitStatus::Stopped(..));
    if stopped {
        // The agent looks several times meanwhile.
        thread::sleep(Duration::from_millis(800));
        kill(pid, Signal::SIGCONT).unwrap();
    }
    assert!(child.wait().unwrap().success(), "after step {steps}");
    stopped
}

#[test]
fn an_agent_that_looks_between_the_steps_of_a_command() {
    need_root!();
    let network = Network::new(2, 1);
    let modlb = &network.modlb;
    let (_, agent) = Agent::with_file(modlb, &on_eth0(&network.configuration(2, HTTP)), "");
    network.pass(true);
    let (mut attach, mut detach) = (0, 0);
    for steps in 1.. {
        // A new name each time, as lines of the log that are repeated are only counted.
        let name = format!("arm{steps}");
        network.gateway.ip(&format!("link add {name} type veth peer name peer{steps}"));
        network.gateway.ip(&format!("link set {name} up"));
        attach += u32::from(has_steps(modlb.command(&format!("attach {name}")), steps));
        agent.logs(&format!("a command attached to {name}"));
        detach += u32::from(has_steps(modlb.command(&format!("detach {name}")), steps));
        agent.logs(&format!("a command detached from {name}"));
        assert_eq!(modlb.json("status")["interfaces"].as_array().unwrap().len(), 1, "step {steps}");
        assert_eq!(agent.count(&format!("attached to {name} (native mode)")), 0, "{}", agent.log());
        if attach < steps && detach < steps {
            break;
        }
    }
    assert!(attach > 3 && detach > 1, "{attach} steps of attach, {detach} of detach");
}
