//! Commands that are killed after each of their steps, with packets on the way.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    need_root,
    support::two_links::{Fate, TwoLinks},
};

/// More steps than any command makes.
const MOST_STEPS: u32 = 200;

/// Runs a command that is killed after so many steps while packets come in by both interfaces. Returns whether it was
/// killed, and what became of the packets.
fn killed_after(links: &TwoLinks, arguments: &str, steps: u32) -> (bool, [Fate; 2]) {
    let stop = AtomicBool::new(false);
    let (killed, sent) = thread::scope(|scope| {
        let senders = [0, 1].map(|interface| {
            let stop = &stop;
            scope.spawn(move || links.send_until(interface, stop))
        });
        let mut command = links.modlb.command(arguments);
        let output = command.env("MODLB_TEST_KILL_AFTER_STEP", steps.to_string()).output().unwrap();
        stop.store(true, Ordering::Relaxed);
        let killed = output.status.signal() == Some(libc::SIGKILL);
        assert!(killed || output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        (killed, senders.map(|sender| sender.join().unwrap()))
    });
    (killed, links.fates(sent))
}

/// Kills `arguments` after each step, each time from a state that `prepare` makes. `attached`: the interfaces whose
/// packets must all be forwarded whatever happens; on the others they may pass to the kernel. After each kill, `finish`
/// must succeed, and then both interfaces work.
fn every_prefix_is_right(arguments: &str, attached: &[usize], prepare: impl Fn(&TwoLinks), finish: &str) {
    for steps in 1..MOST_STEPS {
        let links = TwoLinks::new();
        prepare(&links);
        let file = links.modlb.file("two.toml", &TwoLinks::configuration_without_macs()).display().to_string();
        let (killed, fates) = killed_after(&links, &arguments.replace("FILE", &file), steps);
        for (interface, fate) in fates.into_iter().enumerate() {
            let lost = if attached.contains(&interface) { fate.lost } else { 0 };
            assert_eq!(
                (fate.wrong, lost),
                (0, 0),
                "{arguments} after step {steps}, packets of eth{interface}: {fate:?}"
            );
            let after = links.probe(interface);
            assert_eq!(after.wrong, 0, "{arguments}, after it was killed after step {steps}: {after:?}");
        }
        if !killed {
            assert!(steps > 4, "{arguments} made only {} steps", steps - 1);
            return;
        }
        links.modlb.ok(&finish.replace("FILE", &file));
        for interface in [0, 1] {
            let Fate { right, wrong, lost } = links.probe(interface);
            assert_eq!(
                (wrong, lost),
                (0, 0),
                "{finish}, after {arguments} was killed after step {steps}: {right} right"
            );
        }
        let problems = links.modlb.json("status")["problems"].clone();
        assert_eq!(problems, serde_json::json!([]), "after step {steps}");
    }
    panic!("{arguments} does not end");
}

/// Attaches with servers whose MACs are found.
fn found(links: &TwoLinks, interfaces: &str) {
    links.modlb.attach(&format!("{interfaces} --mode generic"), &TwoLinks::configuration_without_macs());
}

const ATTACH: &str = "attach eth0 eth1 --mode generic --config FILE";

#[test]
fn attaching_a_second_interface() {
    need_root!();
    every_prefix_is_right("attach eth1 --mode generic", &[0], |links| found(links, "eth0"), ATTACH);
}

#[test]
fn attaching_a_first_interface_beside_a_second() {
    need_root!();
    every_prefix_is_right("attach eth0 --mode generic", &[1], |links| found(links, "eth1"), ATTACH);
}

#[test]
fn detaching_one_of_two_interfaces() {
    need_root!();
    every_prefix_is_right("detach eth1", &[0], |links| links.attach("eth0 eth1"), ATTACH);
}

#[test]
fn attaching_both_at_once() {
    need_root!();
    every_prefix_is_right(ATTACH, &[], |_| {}, ATTACH);
}

#[test]
fn attaching_over_a_running_instance() {
    need_root!();
    every_prefix_is_right(ATTACH, &[0, 1], |links| links.attach("eth0 eth1"), ATTACH);
}

#[test]
fn upgrading() {
    need_root!();
    every_prefix_is_right("upgrade", &[0, 1], |links| links.attach("eth0 eth1"), ATTACH);
}

#[test]
fn detaching_everything() {
    need_root!();
    every_prefix_is_right("detach", &[], |links| links.attach("eth0 eth1"), ATTACH);
}

#[test]
fn a_change_that_also_mends() {
    need_root!();
    let prepare = |links: &TwoLinks| {
        links.namespace.ip("link set eth1 address 02:00:00:00:01:99");
        links.attach("eth0 eth1");
        links.namespace.ip("link set eth1 address 02:00:00:00:01:01");
    };
    every_prefix_is_right("server down four 10.0.1.12", &[0], prepare, "server up four 10.0.1.12");
}

/// Ctrl-C at any moment: either the command has done what it was asked for, or everything is as it was, and it says
/// which.
#[test]
fn interrupted_commands_tell_the_truth() {
    need_root!();
    const ROUNDS: u32 = 24;
    let links = TwoLinks::new();
    found(&links, "eth0");
    let state = || {
        let (status, servers) = (links.modlb.json("status"), links.modlb.json("servers"));
        let servers = servers.as_array().unwrap().iter();
        let servers: Vec<_> = servers.map(|server| (server["state"].clone(), server["reason"].clone())).collect();
        (status["interfaces"].clone(), servers, status["problems"].clone())
    };
    for arguments in ["attach eth1 --mode generic", "detach eth1"] {
        let attaching = arguments.starts_with("attach");
        let (there, back) = if attaching { ("detach eth1", None) } else { ("attach eth1 --mode generic", Some(())) };
        if back.is_some() {
            links.modlb.ok(there);
        }
        let before = state();
        let start = Instant::now();
        links.modlb.ok(arguments);
        let whole = start.elapsed();
        links.modlb.ok(there);
        for round in 0..ROUNDS {
            let mut command = links.modlb.command(arguments);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            thread::sleep(whole * round / ROUNDS + Duration::from_millis(1));
            kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let names = |status: &serde_json::Value| {
                status.as_array().unwrap().iter().map(|interface| interface["name"].clone()).collect::<Vec<_>>()
            };
            let (interfaces, servers, problems) = state();
            assert_eq!(problems, serde_json::json!([]), "{arguments}, round {round}: {said}");
            if output.status.success() {
                assert_ne!(names(&interfaces), names(&before.0), "{arguments}, round {round}: {said}");
                links.modlb.ok(there);
            } else {
                // Before it listens for the signal, the signal itself ends it.
                let untouched = output.status.signal() == Some(Signal::SIGINT as i32);
                assert!(untouched || said.contains("interrupted; everything is as it was"), "round {round}: {said}");
                assert_eq!((names(&interfaces), &servers), (names(&before.0), &before.1), "round {round}: {said}");
            }
        }
    }
}
