//! Reads and watches the configuration file.
//!
//! Trap: editors rename a new file over the old one, and other tools replace a link to a directory; a watch of the file
//! itself would follow the old one. So the directory is watched, and a digest tells whether the text has changed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

use super::until::until;
use crate::decide::slots::Digest;

/// Debounce: the file is read after this much quiet, as it may still be being written.
const QUIET: Duration = Duration::from_millis(200);

/// A text, and its digest.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Its digest, never 0.
    pub digest: u64,
}

/// Watches the file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    changes: UnboundedReceiver<()>,
    /// When a change has been followed by enough quiet.
    quiet_at: Option<Instant>,
    _watcher: Option<RecommendedWatcher>,
}

impl Source {
    /// Starts to watch. If the system does not allow it, only SIGHUP makes the agent read the file again.
    pub fn watch(path: &Path) -> Self {
        let (notify, changes) = unbounded_channel();
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // Fails only while the agent ends.
                let _ = notify.send(());
            }
        });
        let watched = watcher.and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watched.map_err(|error| {
            log::warn!("{} is not watched ({error}); send SIGHUP after a change", directory.display());
        });
        Self { path: path.to_owned(), changes, quiet_at: None, _watcher: watcher.ok() }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns when the file's directory has changed and is quiet again.
    pub async fn changed(&mut self) {
        // Trap: the future may be dropped at any await and called again, so state is kept in `self`.
        loop {
            let quiet = until(self.quiet_at);
            tokio::select! {
                change = self.changes.recv() => match change {
                    Some(()) => self.quiet_at = Some(Instant::now() + QUIET),
                    None => std::future::pending().await,
                },
                () = quiet => {
                    self.quiet_at = None;
                    return;
                }
            }
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not text.
    pub fn read(&self) -> io::Result<Text> {
        let text = fs::read_to_string(&self.path)?;
        let mut hash = Sha256::new();
        hash.update(&text);
        // 0 stands for no file.
        let digest = Digest::of(hash).0.max(1);
        Ok(Text { text, digest })
    }
}

/// Whether an event may change the file. Reading does not.
const fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => true,
        EventKind::Access(access) => matches!(access, AccessKind::Close(AccessMode::Write)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn notices(source: &mut Source) -> bool {
        tokio::time::timeout(Duration::from_secs(2), source.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn every_way_of_replacing_the_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modlb.toml");
        fs::write(&path, "one").unwrap();
        let mut source = Source::watch(&path);
        let one = source.read().unwrap();
        fs::write(&path, "two").unwrap();
        assert!(notices(&mut source).await);
        let two = source.read().unwrap();
        assert!(one.digest != two.digest && two.text == "two");
        // As editors do.
        let other = directory.path().join("modlb.toml~");
        fs::write(&other, "one").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(notices(&mut source).await);
        assert_eq!(source.read().unwrap().digest, one.digest);
        // Reading is not a change.
        assert!(!notices(&mut source).await);
        fs::remove_file(&path).unwrap();
        assert!(notices(&mut source).await);
        assert!(source.read().is_err());
    }
}
