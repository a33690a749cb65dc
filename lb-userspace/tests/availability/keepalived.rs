//! The real keepalived on a balancer, with the repository's configuration unchanged.
//!
//! Each has its own /etc/keepalived and /run, so that two of them, and the machine's own, do not get in each other's
//! way; they share the BPF file system.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    site::Balancer,
    support::{namespace::Namespace, wait::wait},
};

/// keepalived's processes on one balancer; killed on drop.
pub struct Keepalived<'a> {
    namespace: &'a Namespace,
    child: Child,
    log: PathBuf,
    _files: tempfile::TempDir,
}

/// A file of the repository's for keepalived.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/keepalived").join(name)
}

impl<'a> Keepalived<'a> {
    /// Starts it with `scripts/keepalived/CONFIGURATION`.
    pub fn start(balancer: &'a Balancer, configuration: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let log = files.path().join("log");
        let output = fs::File::create(&log).unwrap();
        let install = format!(
            "set -e; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /etc/keepalived; \
             cp {} /etc/keepalived/keepalived.conf; cp {} /etc/keepalived/; \
             exec keepalived --dont-fork --log-console --log-detail --config-id {}",
            file(configuration).display(),
            file("modlb-notify.sh").display(),
            balancer.label
        );
        let path = Path::new(env!("CARGO_BIN_EXE_modlb")).parent().unwrap().display().to_string();
        let path = format!("{path}:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command: Command = balancer.namespace.command("unshare");
        command.args(["--mount", "sh", "-c", &install]).env("PATH", path);
        command.env("MODLB_INSTANCE", balancer.modlb.instance());
        let child = command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { namespace: &balancer.namespace, child, log, _files: files }
    }

    /// `kill -9` for all of its processes, also its notify script: it announces nothing and cleans nothing up.
    pub fn kill(mut self) {
        self.end();
    }

    /// Terminates it and waits for its end.
    pub fn stop(mut self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(&mut self) {
        // Trap: a child that saw its parent die would still have time to end in an orderly way.
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in self.namespace_pids() {
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
        let _ = self.child.wait();
    }

    /// All processes in the balancer's namespace; nothing else runs there.
    fn namespace_pids(&self) -> Vec<i32> {
        let output = Command::new("ip").args(["netns", "pids", self.namespace.name()]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect()
    }
}

impl Drop for Keepalived<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts keepalived on both and waits until the first is the master; returns the master's and the backup's.
pub fn master_and_backup<'a>(balancers: &'a [Balancer; 2], configuration: &str) -> [Keepalived<'a>; 2] {
    let [first, second] = balancers;
    let backup = Keepalived::start(second, configuration);
    let master = Keepalived::start(first, configuration);
    settle(balancers, ["active", "standby"], &[&backup]);
    [master, backup]
}

/// Waits until the balancers are in these states.
pub fn settle(balancers: &[Balancer; 2], states: [&str; 2], keepalived: &[&Keepalived<'_>]) {
    let now = || [0, 1].map(|number| balancers[number].state());
    let logs = || keepalived.iter().map(|keepalived| keepalived.log()).collect::<Vec<_>>().join("\n");
    wait(|| now() == states, || format!("{:?} instead of {states:?}\n{}", now(), logs()));
}
