//! Changes that are rolled back unless they are confirmed: with requests, and with the terminal gone.

use std::{
    fs::File,
    io::Read as _,
    net::IpAddr,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    need_root,
    support::{
        network::{Network, SERVICES, request},
        wait::{PATIENCE, wait},
    },
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

/// Seconds to confirm in. A busy machine may do too late what must be done within the first; then it has the next.
const SECONDS: [u64; 3] = [2, 12, 72];

/// Two servers, of which the first was taken down by hand.
fn network() -> Network {
    let network = Network::new(2, 1);
    network.attach("native", &network.configuration(2, HTTP));
    for name in ["web4 10.0.0.11", "web6 fd00::b"] {
        network.modlb.ok(&format!("server down {name}"));
    }
    assert_eq!(answers(&network), [1, 1]);
    network
}

/// The server that answers the client, for each service.
fn answers(network: &Network) -> Vec<u8> {
    let ask = |service: IpAddr| request(network.client_addresses(service)[0], service).unwrap().1;
    network.client.within(|| SERVICES.map(ask).to_vec())
}

/// The configuration that has only the first server, up again.
fn change(network: &Network) -> std::path::PathBuf {
    network.modlb.file("new.toml", &network.configuration(1, HTTP))
}

/// The output of `status` without the times since when servers are down: one that was up meanwhile is down again, not
/// still.
fn state(network: &Network) -> Value {
    let mut status = network.modlb.json("status");
    for service in status["services"].as_array_mut().unwrap() {
        for server in service["servers"].as_array_mut().unwrap() {
            assert!(server.as_object_mut().unwrap().remove("since").is_some());
        }
    }
    status
}

fn unconfirmed(network: &Network) -> Value {
    network.modlb.json("status")["unconfirmed"].clone()
}

/// Waits until nothing is unconfirmed any more.
fn wait_for_rollback(network: &Network) {
    wait(|| unconfirmed(network).is_null(), || network.modlb.ok("status"));
}

/// Waits until this long after `start`, when a rollback that is still to come would have come.
fn wait_until(start: Instant, seconds: u64) {
    const LATER: Duration = Duration::from_millis(300);
    thread::sleep((Duration::from_secs(seconds) + LATER).saturating_sub(start.elapsed()));
}

fn wait_for_waiters_end(network: &Network) {
    wait(|| network.modlb.waiter().is_none(), || "the process that waits is still there".to_owned());
}

#[test]
fn an_unconfirmed_change_is_rolled_back() {
    need_root!();
    let network = network();
    let before = state(&network);
    let start = Instant::now();
    let said = network.modlb.ok(&format!("apply {} --confirm 3", change(&network).display()));
    assert!(said.contains("- server web4 10.0.0.12\n"), "{said}");
    assert!(said.ends_with("in force; rolled back in 3 s unless confirmed by `modlb confirm`\n"), "{said}");
    wait_for_rollback(&network);
    let took = start.elapsed();
    assert!((Duration::from_secs(3)..PATIENCE).contains(&took), "{took:?}");
    assert_eq!(answers(&network), [1, 1], "what was down is down again");
    assert_eq!(state(&network), before);
    wait_for_waiters_end(&network);
    let error = network.modlb.fails("confirm");
    assert!(error.starts_with("there is nothing to confirm"), "{error}");
}

#[test]
fn an_unconfirmed_change_is_in_force_and_blocks_others() {
    need_root!();
    let network = network();
    let before = state(&network);
    network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    assert_eq!(answers(&network), [0, 0], "it is in force");
    let pending = unconfirmed(&network);
    assert!(pending["rolls_back_in"].as_u64().unwrap() <= 600 && pending["waiting"] == true, "{pending}");
    assert!(network.modlb.ok("status").contains("unconfirmed, rolls back in "));

    // A change in between would make it unclear what to roll back to.
    for command in
        ["server up web4 10.0.0.11".to_owned(), format!("apply {}", change(&network).display()), "attach".to_owned()]
    {
        let error = network.modlb.fails(&command);
        assert!(error.contains("not confirmed yet") && error.contains("`modlb confirm` keeps it"), "{error}");
    }
    network.modlb.ok("confirm --undo");
    assert_eq!(state(&network), before);
}

#[test]
fn a_confirmed_change_stays() {
    need_root!();
    let network = network();
    let confirmed = SECONDS.into_iter().any(|seconds| {
        let start = Instant::now();
        network.modlb.ok(&format!("apply {} --confirm {seconds}", change(&network).display()));
        let output = network.modlb.output("confirm");
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(start.elapsed() >= Duration::from_secs(seconds), "{error}");
            return false;
        }
        assert_eq!(String::from_utf8_lossy(&output.stdout), "confirmed\n");
        wait_for_waiters_end(&network);
        wait_until(start, seconds);
        true
    });
    assert!(confirmed, "every confirmation came too late");
    assert_eq!(answers(&network), [0, 0]);
    assert!(unconfirmed(&network).is_null());
    network.modlb.ok("server down web4 10.0.0.11");
}

#[test]
fn undo_rolls_back_at_once() {
    need_root!();
    let network = network();
    let before = state(&network);
    network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    let said = network.modlb.ok("confirm --undo");
    assert!(said.contains("+ server web4 10.0.0.12\n") && said.ends_with("rolled back\n"), "{said}");
    assert_eq!(state(&network), before);
    assert_eq!(answers(&network), [1, 1]);
    wait_for_waiters_end(&network);
}

#[test]
fn a_change_of_nothing_needs_no_confirmation() {
    need_root!();
    let network = Network::new(1, 1);
    network.attach("native", &network.configuration(1, HTTP));
    let said = network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    assert_eq!(said, "nothing to change\n");
    assert!(unconfirmed(&network).is_null() && network.modlb.waiter().is_none());
}

#[test]
fn a_change_is_rolled_back_after_its_terminal_is_gone() {
    need_root!();
    let network = network();
    let seen_in_force = SECONDS.into_iter().any(|seconds| {
        let start = Instant::now();
        apply_in_terminal(&network, seconds);
        let answers_now = answers(&network);
        // Only then it is certain that the change was still in force.
        let in_time = start.elapsed() < Duration::from_secs(seconds);
        assert!(!in_time || answers_now == [0, 0], "{answers_now:?}");
        wait_for_rollback(&network);
        assert!(start.elapsed() >= Duration::from_secs(seconds), "{:?}", start.elapsed());
        assert_eq!(answers(&network), [1, 1]);
        in_time
    });
    assert!(seen_in_force, "every request came too late");
}

/// Applies the change in a shell in a terminal, and closes the terminal's master: the kernel hangs up on both.
fn apply_in_terminal(network: &Network, seconds: u64) {
    let (mut master, mut slave) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: the kernel writes both numbers; null asks for no name and default settings.
    assert_eq!(unsafe { libc::openpty(&raw mut master, &raw mut slave, none, none.cast(), none.cast()) }, 0);
    // SAFETY: both were just opened, and nothing else owns them.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for end in [&master, &slave] {
        // A child that inherited the master would keep the terminal open.
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let modlb = network.modlb.command("");
    let line = format!(
        "{} {} apply {} --confirm {seconds}; echo shell is here; sleep 600",
        modlb.get_program().to_str().unwrap(),
        modlb.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "),
        change(network).display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]);
    for stdio in [Command::stdin, Command::stdout, Command::stderr] {
        stdio(&mut shell, Stdio::from(slave.try_clone().unwrap()));
    }
    // SAFETY: all of these calls are allowed between fork and exec.
    unsafe {
        shell.pre_exec(|| {
            nix::unistd::setsid()?;
            // The process that runs the tests may ignore SIGHUP, and children inherit that.
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            if libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        });
    }
    let mut child = shell.spawn().unwrap();
    // The command holds copies of the slave.
    drop((shell, slave));
    let (mut terminal, mut text) = (File::from(master), String::new());
    while !text.contains("shell is here") {
        let mut bytes = [0; 1_024];
        let count = terminal.read(&mut bytes).unwrap();
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    assert!(text.contains(&format!("rolled back in {seconds} s")), "{text}");
    drop(terminal);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGHUP), "the hang-up reached the session");
}

/// Killed at any moment, the command leaves the old configuration in force, or a change that is rolled back.
#[test]
fn a_killed_command_leaves_no_unconfirmed_change() {
    need_root!();
    let network = network();
    let before = state(&network);
    let file = change(&network);
    for pause in [1, 5, 10, 20, 40, 80, 160].map(Duration::from_millis) {
        let mut command = network.modlb.command(&format!("apply {} --confirm 1", file.display()));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        thread::sleep(pause);
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        child.wait().unwrap();
        let is_settled = || {
            let pending = unconfirmed(&network);
            // If it was killed before the waiting process had started, nothing has changed, and the record must be
            // removed by hand.
            if !pending.is_null() && pending["waiting"] == false && network.modlb.waiter().is_none() {
                assert_eq!(answers(&network), [1, 1]);
                network.modlb.ok("confirm --undo");
            }
            pending.is_null()
        };
        wait(is_settled, || network.modlb.ok("status"));
        assert_eq!(state(&network), before, "killed after {pause:?}");
    }
    assert_eq!(answers(&network), [1, 1]);
}

#[test]
fn a_change_stays_when_the_waiting_process_is_killed() {
    need_root!();
    let network = network();
    let killed = SECONDS.into_iter().any(|seconds| {
        let start = Instant::now();
        network.modlb.ok(&format!("apply {} --confirm {seconds}", change(&network).display()));
        if let Some(pid) = network.modlb.waiter() {
            let _ = kill(pid, Signal::SIGHUP);
            let _ = kill(pid, Signal::SIGKILL);
        }
        wait_for_waiters_end(&network);
        let in_time = start.elapsed() < Duration::from_secs(seconds);
        wait_until(start, seconds);
        if !in_time {
            // It may have been killed while it was rolling back.
            let _ = network.modlb.output("confirm --undo");
        }
        in_time
    });
    assert!(killed, "every kill came too late");
    assert_eq!(answers(&network), [0, 0], "the change stays");
    assert!(network.modlb.ok("status").contains("unconfirmed, and nothing rolls it back"));
    assert_eq!(unconfirmed(&network)["waiting"], false);
    let error = network.modlb.fails("server up web4 10.0.0.11");
    assert!(error.contains("the process that would roll it back is gone"), "{error}");
    network.modlb.ok("confirm --undo");
    assert_eq!(answers(&network), [1, 1]);
}

/// The unconfirmed change ends with the instance; a later instance of the same name is not touched.
#[test]
fn detach_ends_an_unconfirmed_change() {
    need_root!();
    let network = network();
    let detached = SECONDS.into_iter().any(|seconds| {
        let start = Instant::now();
        network.modlb.ok(&format!("apply {} --confirm {seconds}", change(&network).display()));
        network.modlb.ok("detach");
        let in_time = start.elapsed() < Duration::from_secs(seconds);
        wait_for_waiters_end(&network);
        network.attach("native", &network.configuration(2, HTTP));
        assert!(unconfirmed(&network).is_null());
        wait_until(start, seconds);
        in_time
    });
    assert!(detached, "detach always came too late");
    assert_eq!(network.modlb.json("status")["services"][0]["n"], 2);
    assert!(!std::path::Path::new("/run/modlb").join(format!("{}.pending", network.modlb.instance())).exists());
}

/// The record of the change, by which everybody finds it.
fn record(network: &Network) -> std::path::PathBuf {
    std::path::Path::new("/run/modlb").join(format!("{}.pending", network.modlb.instance()))
}

/// What a full disk, a tidy administrator or a half-restored backup makes of it confirms nothing.
#[test]
fn a_change_whose_record_is_damaged_is_rolled_back() {
    need_root!();
    let network = network();
    let before = state(&network);
    let damages: [fn(&std::path::Path); 5] = [
        |record| std::fs::write(record, "").unwrap(),
        |record| std::fs::write(record, &std::fs::read(record).unwrap()[..40]).unwrap(),
        |record| std::fs::write(record, [0xff; 100]).unwrap(),
        |record| std::fs::remove_file(record).unwrap(),
        |record| {
            std::fs::remove_file(record).unwrap();
            std::fs::create_dir(record).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let seen_in_force = SECONDS.into_iter().any(|seconds| {
            let start = Instant::now();
            network.modlb.ok(&format!("apply {} --confirm {seconds}", change(&network).display()));
            damage(&record(&network));
            let in_time = start.elapsed() < Duration::from_secs(seconds);
            if in_time && record(&network).exists() {
                let pending = unconfirmed(&network);
                assert!(pending.is_null() || pending["waiting"] == true, "{pending}");
            }
            wait_for_waiters_end(&network);
            assert_eq!(answers(&network), [1, 1], "damage {number}");
            let _ = std::fs::remove_dir(record(&network));
            in_time
        });
        assert!(seen_in_force, "every damage came too late");
        assert_eq!(state(&network), before, "damage {number}");
        assert!(!record(&network).exists());
    }
}

/// An operator who says so keeps the change, even if the record cannot be read.
#[test]
fn a_change_whose_record_is_damaged_can_be_confirmed() {
    need_root!();
    let network = network();
    network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    std::fs::write(record(&network), "{").unwrap();
    let pending = unconfirmed(&network);
    assert!(pending["rolls_back_in"].is_null() && pending["waiting"] == true, "{pending}");
    assert!(pending["problem"].as_str().unwrap().contains("not a record of modlb"), "{pending}");
    let error = network.modlb.fails("server up web4 10.0.0.11");
    assert!(error.contains("its record cannot be read") && error.contains("`modlb confirm` keeps it"), "{error}");
    network.modlb.fails("confirm --undo");
    assert_eq!(network.modlb.ok("confirm"), "confirmed\n");
    wait_for_waiters_end(&network);
    assert_eq!(answers(&network), [0, 0]);
    assert!(unconfirmed(&network).is_null() && !record(&network).exists());
}

/// Changes in a row: each process waits for its own.
#[test]
fn a_settled_change_is_followed_by_another() {
    need_root!();
    let network = network();
    for round in 0..4 {
        network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
        assert_eq!(unconfirmed(&network)["waiting"], true, "round {round}");
        network.modlb.ok("confirm --undo");
        assert!(unconfirmed(&network).is_null(), "round {round}");
    }
    wait_for_waiters_end(&network);
    assert!(!record(&network).exists());
}

/// As when a unit or a login ends: in doubt the change is undone, at once.
#[test]
fn a_change_is_rolled_back_when_the_waiting_process_is_ended() {
    need_root!();
    let network = network();
    let before = state(&network);
    network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    kill(network.modlb.waiter().unwrap(), Signal::SIGTERM).unwrap();
    wait_for_waiters_end(&network);
    assert_eq!(answers(&network), [1, 1]);
    assert_eq!(state(&network), before);
    assert!(!record(&network).exists());
}
