//! Commands that run at the same time.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    Gateway, need_root,
    support::{
        network::{Network, server_address},
        wait::wait,
    },
    web,
};

/// Of many changes at once, none undoes another.
#[test]
fn concurrent_changes_are_all_made() {
    need_root!();
    let gateway = Gateway::new();
    let servers: Vec<u8> = (11..31).collect();
    gateway.modlb.attach("eth0", &web(&servers));
    thread::scope(|scope| {
        for server in &servers {
            let modlb = &gateway.modlb;
            scope.spawn(move || modlb.ok(&format!("server down web 10.0.0.{server}")));
            scope.spawn(move || modlb.ok(&format!("server add web 10.0.1.{server} --mac 02:00:00:00:03:{server:02x}")));
        }
        // Readers never wait, and never see half a change.
        for _ in 0..20 {
            let status = gateway.modlb.json("status");
            let service = &status["services"][0];
            assert_eq!(service["servers"].as_array().unwrap().len() as u64, service["n"].as_u64().unwrap());
        }
    });
    let status = gateway.modlb.json("status");
    let servers = status["services"][0]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 40);
    for server in servers {
        let added = server["address"].as_str().unwrap().starts_with("10.0.1.");
        assert_eq!(server["state"], if added { "up" } else { "down" });
    }
}

/// Whether a process has opened this file or directory.
fn has_opened(child: &Child, path: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target == path)
}

/// While one command has the instance locked, another waits.
#[test]
fn a_writer_waits_for_another() {
    need_root!();
    let gateway = Gateway::new();
    gateway.modlb.attach("eth0", &web(&[11, 12]));
    let directory = std::fs::File::open(gateway.modlb.pins()).unwrap();
    let lock = nix::fcntl::Flock::lock(directory, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let mut command = gateway.modlb.command("server down web 10.0.0.11");
    let mut waiting = command.stdout(Stdio::null()).spawn().unwrap();
    wait(|| has_opened(&waiting, &gateway.modlb.pins()), || "it does not try to lock the instance".to_owned());
    thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    assert_eq!(gateway.modlb.json("status")["services"][0]["servers"][0]["state"], "up");
    drop(lock);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(gateway.modlb.json("status")["services"][0]["servers"][0]["state"], "down");
}

/// A takeover waits for no other command, and a command that was already under way does not undo it.
#[test]
fn a_takeover_does_not_wait() {
    need_root!();
    let network = Network::new(2, 1);
    let configuration = network.configuration(2, "protocol = \"tcp\"\nport = 80");
    network.attach("native", &configuration);
    network.modlb.ok("standby");
    for (verb, state) in [("activate", "active"), ("standby", "standby"), ("activate", "active")] {
        // A server that went silent: the command asks for its MAC for a second, and goes on with the one that it had.
        let silent = server_address(false, 1);
        network.server_namespaces().nth(1).unwrap().ip("link set eth0 down");
        network.gateway.ip(&format!("neigh del {silent} dev eth0"));
        let formula = if verb == "activate" { "5-tuple" } else { "3-tuple" };
        let changed = configuration.replace("port = 80", &format!("port = 80\nformula = \"{formula}\""));
        let file = network.modlb.file("changed.toml", &changed);
        let mut command = network.modlb.command(&format!("apply {}", file.display()));
        let mut apply = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let neighbour = || network.gateway.run("ip", &format!("neigh show {silent} dev eth0"));
        wait(|| neighbour().contains("INCOMPLETE"), || format!("it does not ask: {}", neighbour()));
        // Stopped while it asks, it is under way for as long as the takeover takes.
        let pid = Pid::from_raw(apply.id() as i32);
        kill(pid, Signal::SIGSTOP).unwrap();
        network.modlb.ok(verb);
        assert!(apply.try_wait().unwrap().is_none(), "there was nothing to wait for");
        assert_eq!(network.modlb.json("status")["state"], state);
        kill(pid, Signal::SIGCONT).unwrap();
        assert!(apply.wait().unwrap().success());
        let status = network.modlb.json("status");
        assert_eq!((&status["state"], &status["services"][0]["formula"]), (&state.into(), &formula.into()));
        network.server_namespaces().nth(1).unwrap().ip("link set eth0 up");
    }
}
