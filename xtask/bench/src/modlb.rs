//! The measured command in a namespace, with its own instance, which is removed on drop.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;

use crate::{command::capture, namespace::Namespace};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The command for one instance. Drop it before its namespace.
#[derive(Debug)]
pub struct Modlb {
    binary: PathBuf,
    netns: String,
    instance: String,
    files: tempfile::TempDir,
}

impl Modlb {
    /// The command for an instance that does not exist yet.
    pub fn new(binary: &Path, namespace: &Namespace) -> Result<Self> {
        let instance = format!("bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let netns = namespace.name().to_owned();
        Ok(Self { binary: binary.to_owned(), netns, instance, files: tempfile::tempdir()? })
    }

    /// The instance's name.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Where the instance is pinned.
    pub fn pins(&self) -> PathBuf {
        Path::new("/sys/fs/bpf/modlb").join(&self.instance)
    }

    /// The command with these arguments, split at spaces.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["--netns", &self.netns, "--instance", &self.instance]).args(arguments.split_whitespace());
        command
    }

    /// Runs it; returns what it prints.
    pub fn run(&self, arguments: &str) -> Result<String> {
        capture(&mut self.command(arguments))
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.files.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Attaches with this configuration.
    pub fn attach(&self, arguments: &str, configuration: &str) -> Result<String> {
        let file = self.file("modlb.toml", configuration)?;
        self.run(&format!("attach {arguments} --config {}", file.display()))
    }

    /// Applies this configuration.
    pub fn apply(&self, configuration: &str) -> Result<String> {
        let file = self.file("modlb.toml", configuration)?;
        self.run(&format!("apply {}", file.display()))
    }
}

impl Drop for Modlb {
    fn drop(&mut self) {
        if self.pins().exists()
            && let Err(error) = self.run("detach")
        {
            eprintln!("warning: {error:#}");
        }
    }
}
