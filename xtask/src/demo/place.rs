//! What a demonstration uses on this machine: a lock, files, and hosts.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use super::namespace;

/// Files. Only root can write here, so no other user can have planted any.
pub const DIRECTORY: &str = "/run/modlb-demo";

/// The state of `scripts/server-setup.sh`.
const SERVER_STATE: &str = "/run/modlb-server";

const LOCK: &str = "/run/modlb-demo.lock";

/// While this is locked, no other demonstration runs.
pub struct Claim {
    _lock: Flock<fs::File>,
}

impl Claim {
    /// Claims the machine.
    pub fn take() -> Result<Self> {
        let lock = Flock::lock(fs::File::create(LOCK)?, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, error)| anyhow!(error)).context("another demonstration is running")?;
        Ok(Self { _lock: lock })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(LOCK);
    }
}

/// Removes hosts with everything that runs in them, and all files.
pub fn remove<'a>(hosts: impl IntoIterator<Item = &'a &'static str>) {
    for host in hosts {
        namespace::remove(host);
        let _ = fs::remove_dir_all(Path::new(SERVER_STATE).join(namespace::name(host)));
    }
    let _ = fs::remove_dir(SERVER_STATE);
    let _ = fs::remove_dir_all(DIRECTORY);
}
