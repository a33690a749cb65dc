//! The file that the agent keeps the instance to.
//!
//! Trap: editors write a new file and rename it over the old one, and others replace a link to a directory; a watch of
//! the file itself would follow what nobody reads any more. So its directory is watched, and what counts is whether the
//! file's text is another.

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

/// So long nothing may happen before the file is read: whoever writes it may not have ended.
const QUIET: Duration = Duration::from_millis(200);

/// A text, and its digest.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Its digest, which is not 0.
    pub digest: u64,
}

/// Watches the file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    changes: UnboundedReceiver<()>,
    /// When it has been quiet for long enough after a change.
    quiet_at: Option<Instant>,
    _watcher: Option<RecommendedWatcher>,
}

impl Source {
    /// Starts to watch. Where the system does not allow it, only a signal makes the agent read the file again.
    pub fn watch(path: &Path) -> Self {
        let (tell, changes) = unbounded_channel();
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                // Nobody listens when the agent ends.
                let _ = tell.send(());
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

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns when something in the file's directory has changed and is quiet again.
    pub async fn changed(&mut self) {
        // Trap: this may be given up at any await and begun again, and must not forget what it saw.
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
    /// The file cannot be read, or is no text.
    pub fn read(&self) -> io::Result<Text> {
        let text = fs::read_to_string(&self.path)?;
        let mut hash = Sha256::new();
        hash.update(&text);
        // 0 stands for no file at all.
        let digest = Digest::of(hash).0.max(1);
        Ok(Text { text, digest })
    }
}

/// Reading, by whomever, is none.
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
    async fn whichever_way_the_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("modlb.toml");
        fs::write(&path, "one").unwrap();
        let mut source = Source::watch(&path);
        let one = source.read().unwrap();
        fs::write(&path, "two").unwrap();
        assert!(notices(&mut source).await);
        let two = source.read().unwrap();
        assert!(one.digest != two.digest && two.text == "two");
        // As editors do it.
        let other = directory.path().join("modlb.toml~");
        fs::write(&other, "one").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(notices(&mut source).await);
        assert_eq!(source.read().unwrap().digest, one.digest);
        // Reading is no change.
        assert!(!notices(&mut source).await);
        fs::remove_file(&path).unwrap();
        assert!(notices(&mut source).await);
        assert!(source.read().is_err());
    }
}
