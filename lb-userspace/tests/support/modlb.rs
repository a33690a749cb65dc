//! The modlb command in a namespace, with its own instance, which is removed on drop.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::unistd::Pid;
use serde_json::Value;

use super::namespace::Namespace;

/// Names that services may have, and that a careless script takes for something else.
pub const ODD_NAMES: [&str; 9] =
    ["(gone)", "*", "-n", "it's", "\"interfaces\":[]", "\"state\":\"gone\"", "$(exit)`exit`;exit&", "~\\web", "self:"];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The command for one instance.
pub struct Modlb {
    netns: String,
    instance: String,
    files: tempfile::TempDir,
}

impl Modlb {
    /// The command for an instance that does not exist yet.
    pub fn new(namespace: &Namespace) -> Self {
        let instance = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { netns: namespace.name().to_owned(), instance, files: tempfile::tempdir().unwrap() }
    }

    /// The instance's name.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The process that rolls an unconfirmed change back, by its command line.
    pub fn waiter(&self) -> Option<Pid> {
        let wanted = format!("--instance\0{}\0confirm\0--wait\0", self.instance());
        fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            line.contains(&wanted).then(|| Pid::from_raw(pid))
        })
    }

    /// Where the instance is pinned.
    pub fn pins(&self) -> PathBuf {
        Path::new("/sys/fs/bpf/modlb").join(&self.instance)
    }

    /// The command with these arguments, split at spaces.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modlb"));
        command.args(["--netns", &self.netns, "--instance", &self.instance]).args(arguments.split_whitespace());
        command
    }

    /// Runs it, whether it succeeds or fails.
    pub fn output(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it; it must succeed. Returns what it prints.
    pub fn ok(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "modlb {arguments}: {}\n{}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs it; it must fail with status 1. Returns the error.
    pub fn fails(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "modlb {arguments}: {error}");
        assert!(error.starts_with("error: "), "{error}");
        error.trim_start_matches("error: ").trim_end().to_owned()
    }

    /// Runs a reading command that prints JSON.
    pub fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{arguments} --json"))).unwrap()
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Attaches with this configuration.
    pub fn attach(&self, arguments: &str, configuration: &str) -> String {
        let file = self.file("modlb.toml", configuration);
        self.ok(&format!("attach {arguments} --config {}", file.display()))
    }

    /// Applies this configuration.
    pub fn apply(&self, configuration: &str) -> String {
        let file = self.file("modlb.toml", configuration);
        self.ok(&format!("apply {}", file.display()))
    }
}

impl Drop for Modlb {
    fn drop(&mut self) {
        if self.pins().exists() {
            let _ = self.output("detach");
        }
        // What commands of the doctor export to.
        let _ = fs::remove_file(format!("/run/modlb-{}.toml", self.instance));
        // Of an agent that was killed after that.
        for name in ["agent", "agent.json"] {
            let _ = fs::remove_file(Path::new("/run/modlb").join(format!("{}.{name}", self.instance)));
        }
        let _ = fs::remove_dir("/run/modlb");
    }
}
