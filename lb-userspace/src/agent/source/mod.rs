//! Reads and watches the configuration file.
//!
//! Events are hints, which start a look: they are lost where the system allows no more watches, on some file systems,
//! and in a race with whoever replaces a directory. So the file is looked at every 10 s in any case, and a digest
//! tells whether its text has changed.
//!
//! ```text
//! way   the names that lead to the file     watches   events of these names     read   the file → its text
//! ```

mod read;
#[cfg(test)]
mod tests;
mod watches;
mod way;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task, time, time::Instant};

pub use self::read::{Text, Unreadable};
use self::{read::read, watches::Watches, way::way};
use super::until::until;

/// Debounce: the file is looked at after this much quiet, as it may still be being written.
const QUIET: Duration = Duration::from_millis(200);

/// The longest debounce.
const MAX_UNREST: Duration = Duration::from_secs(2);

/// How often the file is looked at without any event.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// A file system that does not answer for so long is reported.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Watches the file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    watches: Watches,
    /// When the first event came that no look has followed yet.
    unrest: Option<Instant>,
    /// When to look.
    look_at: Instant,
}

impl Source {
    /// Starts to watch with the first [`Source::read`].
    pub fn new(path: &Path) -> Self {
        // Changing the working directory must not change the file.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { path, watches: Watches::default(), unrest: None, look_at: Instant::now() }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns when it is time to look at the file: something on the way to it has changed and is quiet again, or the
    /// last look was long ago.
    pub async fn due(&mut self) {
        // Trap: the future may be dropped at any await and called again, so state is kept in `self`.
        loop {
            tokio::select! {
                () = self.watches.changed() => {
                    let now = Instant::now();
                    let first = *self.unrest.get_or_insert(now);
                    self.look_by((now + QUIET).min(first + MAX_UNREST));
                }
                () = until(Some(self.look_at)) => return,
            }
        }
    }

    /// Looks at this moment at the latest.
    pub fn look_by(&mut self, moment: Instant) {
        // While there is unrest, a later event postpones the look.
        self.look_at = if self.unrest.is_some() { moment } else { self.look_at.min(moment) };
    }

    /// Reads the file, and watches the way to it as it is now.
    ///
    /// # Errors
    ///
    /// There is no such file, it cannot be read, or it is not text.
    pub async fn read(&mut self) -> Result<Text, Unreadable> {
        self.unrest = None;
        self.look_at = Instant::now() + LOOK_INTERVAL;
        // Watched before it is read, so that no change is missed.
        self.watches.set(way(&self.path));
        let path = self.path.clone();
        // In another thread, as a file system may not answer.
        let reading = task::spawn_blocking(move || read(&path));
        match time::timeout(READ_TIMEOUT, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(Unreadable(error.to_string())),
            Err(_) => Err(Unreadable(format!("it could not be read within {} s", READ_TIMEOUT.as_secs()))),
        }
    }
}
