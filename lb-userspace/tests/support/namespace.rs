//! Network namespaces that are removed on drop.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use nix::sched::{CloneFlags, setns};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace, with loopback up.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `label` only helps to recognise it.
    pub fn new(label: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mlbtest-{}-{number}-{label}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// Removes it and makes another one of the same name.
    pub fn make_again(&self) {
        run(Command::new("ip").args(["netns", "del", &self.name]));
        run(Command::new("ip").args(["netns", "add", &self.name]));
        self.ip("link set lo up");
    }

    /// Its name for `ip` and `modlb`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file by which it can be entered.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// Runs `ip` in it.
    pub fn ip(&self, arguments: &str) {
        run(Command::new("ip").args(["-netns", &self.name]).args(arguments.split_whitespace()));
    }

    /// A program in it. Unlike `ip netns exec`, this does not change file systems.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program);
        command
    }

    /// Runs a program in it that must succeed.
    pub fn run(&self, program: &str, arguments: &str) -> String {
        let output = run(self.command(program).args(arguments.split_whitespace()));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Does something on a thread inside it.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                setns(File::open(self.path()).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Processes that still run in it would keep it alive.
        let pids = Command::new("ip").args(["netns", "pids", &self.name]).output();
        for pid in pids
            .iter()
            .flat_map(|output| String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>())
        {
            let _ = Command::new("kill").args(["-9", &pid]).output();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// Runs a program that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}
