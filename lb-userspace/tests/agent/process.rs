//! The agent as a process, with the test in systemd's place.

use std::{
    fs::File,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::modlb::Modlb;

/// Longer than anything takes that is waited for here.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running agent; killed when the value goes.
pub struct Agent {
    child: Child,
    directory: tempfile::TempDir,
    socket: UnixDatagram,
    heard: Mutex<Vec<String>>,
}

impl Agent {
    /// Starts one, without waiting for anything.
    pub fn spawn(modlb: &Modlb, file: &Path, arguments: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut command = modlb.command("agent --listen none");
        command.arg("--config").arg(file).args(arguments.split_whitespace());
        command.env("NOTIFY_SOCKET", &path).stderr(File::create(directory.path().join("log")).unwrap());
        Self { child: command.spawn().unwrap(), directory, socket, heard: Mutex::default() }
    }

    /// Starts one and waits until it says that it is ready.
    pub fn start(modlb: &Modlb, file: &Path, arguments: &str) -> Self {
        let agent = Self::spawn(modlb, file, arguments);
        agent.hears("READY=1");
        agent
    }

    /// The same with a file that says this. Returns the file, too.
    pub fn with_file(modlb: &Modlb, text: &str, arguments: &str) -> (PathBuf, Self) {
        let file = modlb.file("agent.toml", text);
        let agent = Self::start(modlb, &file, arguments);
        (file, agent)
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until it tells systemd something that contains this, and forgets what it told before.
    pub fn hears(&self, what: &str) -> String {
        let start = Instant::now();
        loop {
            let mut heard = self.heard.lock().unwrap();
            if let Some(place) = heard.iter().position(|message| message.contains(what)) {
                return heard.drain(..=place).next_back().unwrap();
            }
            let mut buffer = [0; 4_096];
            match self.socket.recv(&mut buffer) {
                Ok(length) => heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
                Err(_) => assert!(start.elapsed() < PATIENCE, "it did not say {what:?}: {heard:?}\n{}", self.log()),
            }
        }
    }

    /// Waits until its log has a line that contains this.
    pub fn logs(&self, what: &str) {
        wait(|| self.log().contains(what), || format!("it did not log {what:?}:\n{}", self.log()));
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended by itself.
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

    /// Ends it as systemd does. It must say so and succeed.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        self.hears("STOPPING=1");
        assert!(self.end().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub fn wait(mut holds: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) -> Duration {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > PATIENCE {
            panic!("{}", otherwise());
        }
        thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
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

/// The configuration with which interfaces are attached to.
pub fn on_eth0(configuration: &str) -> String {
    format!("interfaces = [\"eth0\"]\n{configuration}")
}

/// Writes a file as an editor does: beside the old one, and then in its place.
pub fn replace(path: &PathBuf, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}
