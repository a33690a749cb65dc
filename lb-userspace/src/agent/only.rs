//! One agent for each instance.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::Flock;

use crate::{
    datapath::store::private,
    observe::agent_record,
    output::{AgentView, NotInForce},
};

/// Whoever reads the record looks at the lock for a moment, which must not keep an agent from starting.
const PATIENCE: Duration = Duration::from_millis(200);

/// The right to manage an instance. Its lock, which only root can take, ends with the process, however that ends. The
/// name alone identifies the instance: network namespaces share the BPF file system.
#[derive(Debug)]
pub(super) struct OnlyAgent {
    instance: String,
    path: PathBuf,
    /// What commands are told.
    recorded: Option<AgentView>,
    _lock: Flock<File>,
}

impl OnlyAgent {
    /// Takes the right.
    ///
    /// # Errors
    ///
    /// Another agent has it.
    pub fn claim(instance: &str) -> Result<Self> {
        let path = private::agent_lock(instance);
        let Some(mut lock) = private::lock_within(&path, PATIENCE)? else {
            let process = holder(&path).map_or_else(String::new, |process| format!(" (process {process})"));
            bail!("another agent manages instance {instance}{process}; end it first, or choose another `--instance`");
        };
        // For the message above.
        let note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        note.with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { instance: instance.to_owned(), path, recorded: None, _lock: lock })
    }

    /// Records for commands whether the file is in force, and which interfaces are missing.
    pub fn record(&mut self, file: &Path, not_in_force: Option<&NotInForce>, missing: Vec<String>) {
        let file = file.display().to_string();
        let view = AgentView { process: std::process::id(), file, not_in_force: not_in_force.cloned(), missing };
        if self.recorded.as_ref() == Some(&view) {
            return;
        }
        // Without the record, commands know less, and nothing else.
        match agent_record::write(&self.instance, &view) {
            Ok(()) => self.recorded = Some(view),
            Err(error) => log::debug!("{error:#}"),
        }
    }
}

impl Drop for OnlyAgent {
    /// While the lock is still held, so that nobody else's file is removed.
    fn drop(&mut self) {
        agent_record::remove(&self.instance);
        let _ = fs::remove_file(&self.path);
        private::remove_if_empty();
    }
}

/// The process that holds the lock, as it noted itself.
fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
