//! Changes that are taken back unless somebody confirms them: with requests, and with the terminal gone.

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
    support::network::{Network, SERVICES, request},
};

const HTTP: &str = "protocol = \"tcp\"\nport = 80";

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

/// Who answers the client, by service.
fn answers(network: &Network) -> Vec<u8> {
    let ask = |service: IpAddr| request(network.client_addresses(service)[0], service).unwrap().1;
    network.client.within(|| SERVICES.map(ask).to_vec())
}

/// The configuration that has the first server alone, up again.
fn change(network: &Network) -> std::path::PathBuf {
    network.modlb.file("new.toml", &network.configuration(1, HTTP))
}

/// What `status` says, but for since when servers are down: one that was up in between is down again, not still.
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

/// Waits until what was before is back; returns how long it took from `start` on.
fn rolled_back(network: &Network, start: Instant) -> Duration {
    while !unconfirmed(network).is_null() {
        assert!(start.elapsed() < Duration::from_secs(15), "{}", network.modlb.ok("status"));
        thread::sleep(Duration::from_millis(50));
    }
    start.elapsed()
}

/// The process that waits for this instance, by its command line.
fn waiter(network: &Network) -> Option<Pid> {
    let wanted = format!("--instance\0{}\0confirm\0--wait\0", network.modlb.instance());
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        line.contains(&wanted).then(|| Pid::from_raw(pid))
    })
}

fn gone(network: &Network) {
    let start = Instant::now();
    while waiter(network).is_some() {
        assert!(start.elapsed() < Duration::from_secs(3), "the process that waits is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_nobody_confirms_is_rolled_back() {
    need_root!();
    let network = network();
    let before = state(&network);
    let start = Instant::now();
    let said = network.modlb.ok(&format!("apply {} --confirm 3", change(&network).display()));
    assert!(said.contains("- server web4 10.0.0.12\n"), "{said}");
    assert!(said.ends_with("in force; rolled back in 3 s unless confirmed by `modlb confirm`\n"), "{said}");
    assert_eq!(answers(&network), [0, 0], "it is in force");
    let pending = unconfirmed(&network);
    assert!(pending["rolls_back_in"].as_u64().unwrap() <= 3 && pending["waiting"] == true, "{pending}");
    assert!(network.modlb.ok("status").contains("unconfirmed, rolls back in "));

    // Nothing comes in between, for what would be gone back to then?
    for command in
        ["server up web4 10.0.0.11".to_owned(), format!("apply {}", change(&network).display()), "attach".to_owned()]
    {
        let error = network.modlb.fails(&command);
        assert!(error.contains("not confirmed yet") && error.contains("`modlb confirm` keeps it"), "{error}");
    }
    let took = rolled_back(&network, start);
    assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&took), "{took:?}");
    assert_eq!(answers(&network), [1, 1], "what was down is down again");
    assert_eq!(state(&network), before);
    gone(&network);
    let error = network.modlb.fails("confirm");
    assert!(error.starts_with("there is nothing to confirm"), "{error}");
}

#[test]
fn what_is_confirmed_stays() {
    need_root!();
    let network = network();
    network.modlb.ok(&format!("apply {} --confirm 2", change(&network).display()));
    assert_eq!(network.modlb.ok("confirm"), "confirmed\n");
    gone(&network);
    thread::sleep(Duration::from_millis(2_300));
    assert_eq!(answers(&network), [0, 0]);
    assert!(unconfirmed(&network).is_null());
    network.modlb.ok("server down web4 10.0.0.11");
}

#[test]
fn undone_at_once() {
    need_root!();
    let network = network();
    let before = state(&network);
    network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    let said = network.modlb.ok("confirm --undo");
    assert!(said.contains("+ server web4 10.0.0.12\n") && said.ends_with("rolled back\n"), "{said}");
    assert_eq!(state(&network), before);
    assert_eq!(answers(&network), [1, 1]);
    gone(&network);
}

/// What changes nothing needs no confirmation.
#[test]
fn nothing_to_confirm() {
    need_root!();
    let network = Network::new(1, 1);
    network.attach("native", &network.configuration(1, HTTP));
    let said = network.modlb.ok(&format!("apply {} --confirm 600", change(&network).display()));
    assert_eq!(said, "nothing to change\n");
    assert!(unconfirmed(&network).is_null() && waiter(&network).is_none());
}

/// A terminal whose shell runs the command; the kernel hangs up on both when the master is closed.
#[test]
fn the_terminal_is_gone() {
    need_root!();
    let network = network();
    let (mut master, mut slave) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: the kernel fills in both numbers; a name and settings are not asked for.
    assert_eq!(unsafe { libc::openpty(&raw mut master, &raw mut slave, none, none.cast(), none.cast()) }, 0);
    // SAFETY: they were opened just now, for this test alone.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for end in [&master, &slave] {
        // A child that had the master would keep the terminal.
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let modlb = network.modlb.command("");
    let line = format!(
        "{} {} apply {} --confirm 3; echo shell is here; sleep 60",
        modlb.get_program().to_str().unwrap(),
        modlb.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" "),
        change(&network).display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]);
    for stdio in [Command::stdin, Command::stdout, Command::stderr] {
        stdio(&mut shell, Stdio::from(slave.try_clone().unwrap()));
    }
    // SAFETY: all of these calls may be made between fork and exec.
    unsafe {
        shell.pre_exec(|| {
            nix::unistd::setsid()?;
            // Whoever runs the tests may ignore what a hang-up sends, and would hand that on.
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            if libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        });
    }
    let start = Instant::now();
    let mut shell = shell.spawn().unwrap();
    drop(slave);
    let (mut terminal, mut text) = (File::from(master), String::new());
    while !text.contains("shell is here") {
        let mut bytes = [0; 1_024];
        let count = terminal.read(&mut bytes).unwrap();
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    assert!(text.contains("rolled back in 3 s"), "{text}");
    drop(terminal);
    assert_eq!(shell.wait().unwrap().signal(), Some(libc::SIGHUP), "the hang-up reached the session");
    assert_eq!(answers(&network), [0, 0]);
    let took = rolled_back(&network, start);
    assert!(took >= Duration::from_secs(3), "{took:?}");
    assert_eq!(answers(&network), [1, 1]);
}

/// Killed at any moment, the command leaves what was before, or what comes back to it.
#[test]
fn the_command_is_killed() {
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
        // A record that was written before anybody waits for it is taken back by hand; nothing was changed then.
        let pending = unconfirmed(&network);
        if !pending.is_null() && pending["waiting"] == false && waiter(&network).is_none() {
            assert_eq!(answers(&network), [1, 1]);
            network.modlb.ok("confirm --undo");
        }
        rolled_back(&network, Instant::now());
        assert_eq!(state(&network), before, "killed after {pause:?}");
    }
    assert_eq!(answers(&network), [1, 1]);
}

#[test]
fn the_process_that_waits_is_killed() {
    need_root!();
    let network = network();
    network.modlb.ok(&format!("apply {} --confirm 1", change(&network).display()));
    let pid = waiter(&network).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    kill(pid, Signal::SIGKILL).unwrap();
    gone(&network);
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(answers(&network), [0, 0], "the change stays");
    assert!(network.modlb.ok("status").contains("unconfirmed, and nothing rolls it back"));
    assert_eq!(unconfirmed(&network)["waiting"], false);
    let error = network.modlb.fails("server up web4 10.0.0.11");
    assert!(error.contains("the process that would roll it back is gone"), "{error}");
    network.modlb.ok("confirm --undo");
    assert_eq!(answers(&network), [1, 1]);
}

/// The end of the instance is the end of what was to be confirmed; another of its name has nothing to do with it.
#[test]
fn detached_in_between() {
    need_root!();
    let network = network();
    network.modlb.ok(&format!("apply {} --confirm 2", change(&network).display()));
    network.modlb.ok("detach");
    gone(&network);
    network.attach("native", &network.configuration(2, HTTP));
    assert!(unconfirmed(&network).is_null());
    thread::sleep(Duration::from_millis(2_300));
    assert_eq!(network.modlb.json("status")["services"][0]["n"], 2);
    assert!(!std::path::Path::new("/run/modlb").join(format!("{}.pending", network.modlb.instance())).exists());
}
