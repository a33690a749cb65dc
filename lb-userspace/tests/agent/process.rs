//! The agent as a process; the test takes the place of systemd.

use std::{
    fs::File,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, Weak},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::{
    modlb::Modlb,
    wait::{PATIENCE, wait},
};

/// A running agent; killed on drop.
pub struct Agent {
    child: Child,
    directory: tempfile::TempDir,
    /// What it has sent to systemd.
    messages: Arc<Mutex<Vec<String>>>,
}

/// Takes messages as systemd does, at once. Ends when nobody keeps them any more.
fn take(socket: UnixDatagram, messages: Weak<Mutex<Vec<String>>>) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Some(messages) = messages.upgrade() {
            if let Ok(length) = socket.recv(&mut buffer) {
                messages.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
    });
}

impl Agent {
    /// Starts one, without waiting for anything.
    pub fn spawn(modlb: &Modlb, file: &Path, arguments: &str) -> Self {
        Self::spawn_with(modlb, file, arguments, |_, _| {})
    }

    /// The same with more to be said to the process, whose log is this file.
    pub fn spawn_with(modlb: &Modlb, file: &Path, arguments: &str, more: impl FnOnce(&mut Command, &File)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let messages = Arc::default();
        take(socket, Arc::downgrade(&messages));
        let nowhere = if arguments.contains("--listen") { "" } else { "--listen none" };
        let mut command = modlb.command(&format!("agent {nowhere}"));
        command.arg("--config").arg(file).args(arguments.split_whitespace());
        let log = File::create(directory.path().join("log")).unwrap();
        more(&mut command, &log);
        command.env("NOTIFY_SOCKET", &path).stderr(log);
        Self { child: command.spawn().unwrap(), directory, messages }
    }

    /// Starts one and waits until it says that it is ready.
    pub fn start(modlb: &Modlb, file: &Path, arguments: &str) -> Self {
        let agent = Self::spawn(modlb, file, arguments);
        agent.notifies("READY=1");
        agent
    }

    /// The same with a file with this text. Returns the file as well.
    pub fn with_file(modlb: &Modlb, text: &str, arguments: &str) -> (PathBuf, Self) {
        let file = modlb.file("agent.toml", text);
        let agent = Self::start(modlb, &file, arguments);
        (file, agent)
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until it sends systemd a message that contains this, and drops earlier messages.
    pub fn notifies(&self, what: &str) -> String {
        let start = Instant::now();
        loop {
            {
                let mut messages = self.messages.lock().unwrap();
                if let Some(place) = messages.iter().position(|message| message.contains(what)) {
                    return messages.drain(..=place).next_back().unwrap();
                }
                assert!(start.elapsed() < PATIENCE, "no message {what:?}: {messages:?}\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until its log has a line that contains this.
    pub fn logs(&self, what: &str) {
        wait(|| self.log().contains(what), || format!("it did not log {what:?}:\n{}", self.log()));
    }

    /// How many lines of its log contain this.
    pub fn count(&self, what: &str) -> usize {
        self.log().lines().filter(|line| line.contains(what)).count()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as systemd does. It must notify systemd and succeed.
    pub fn stop(self) {
        let _ = self.stopped();
    }

    /// The same. Returns its whole log.
    pub fn stopped(mut self) -> String {
        self.signal(Signal::SIGTERM);
        self.notifies("STOPPING=1");
        assert!(self.end().success());
        self.log()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server as `modlb servers` shows it.
pub fn server(modlb: &Modlb, service: &str, address: impl ToString) -> Value {
    let address = address.to_string();
    let servers = modlb.json("servers");
    let mut servers = servers.as_array().unwrap().iter();
    servers.find(|server| server["service"] == service && server["address"] == address.as_str()).unwrap().clone()
}

/// Waits until a server is in a state.
pub fn becomes(modlb: &Modlb, service: &str, address: impl ToString + Copy, state: &str) -> Duration {
    wait(
        || server(modlb, service, address)["state"] == state,
        || format!("not {state}: {}", server(modlb, service, address)),
    )
}

/// This configuration with the interface to attach to.
pub fn on_eth0(configuration: &str) -> String {
    format!("interfaces = [\"eth0\"]\n{configuration}")
}

/// Replaces a file as an editor does: by a rename.
pub fn replace(path: &PathBuf, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// Why an instance's file is not in force, as `modlb status` shows it.
pub fn not_in_force(modlb: &Modlb) -> Value {
    modlb.json("status")["agent"]["not_in_force"].clone()
}

/// What an instance does, without what its agent says.
pub fn in_force(modlb: &Modlb) -> Value {
    let mut status = modlb.json("status");
    status.as_object_mut().unwrap().remove("agent");
    status
}

/// How many servers each service has.
pub fn servers(modlb: &Modlb) -> u64 {
    modlb.json("status")["services"][0]["n"].as_u64().unwrap_or_default()
}
