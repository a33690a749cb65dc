//! Events of names in directories, by inotify.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    io,
    path::PathBuf,
};

use futures_util::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchDescriptor, WatchMask};

use super::way::Step;

/// Room for some events, each with a name.
const BUFFER: usize = 4_096;

/// What is watched.
#[derive(Debug, Default)]
pub struct Watches {
    /// `None`: the system allows no more.
    stream: Option<EventStream<Vec<u8>>>,
    /// The names that count in each watched directory.
    names: HashMap<WatchDescriptor, HashSet<OsString>>,
    /// It was reported that not everything can be watched.
    reported: bool,
}

impl Watches {
    /// Watches these names, and no others. What cannot be watched is reported once, and tried again the next time.
    pub fn set(&mut self, steps: Vec<Step>) {
        match self.try_set(steps) {
            Ok(()) => self.reported = false,
            Err((directory, error)) if !std::mem::replace(&mut self.reported, true) => log::warn!(
                "{} cannot be watched ({error}{}); the file is looked at every 10 s all the same",
                directory.display(),
                way_out(&error)
            ),
            Err(_) => {}
        }
    }

    /// Watches as much as can be; fails with the first directory that cannot.
    fn try_set(&mut self, steps: Vec<Step>) -> Result<(), (PathBuf, io::Error)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let first = || steps.first().map(|(directory, _)| directory.clone()).unwrap_or_default();
                let stream = Inotify::init().and_then(|inotify| inotify.into_event_stream(vec![0; BUFFER]));
                none.insert(stream.map_err(|error| (first(), error))?)
            }
        };
        let mut watches = stream.watches();
        let mut names: HashMap<_, HashSet<_>> = HashMap::new();
        let mut failed = None;
        for (directory, name) in steps {
            // The same directory has the same descriptor, also if it was watched before.
            match watches.add(&directory, mask()) {
                Ok(descriptor) => drop(names.entry(descriptor).or_default().insert(name)),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => failed = failed.or(Some((directory, error))),
            }
        }
        for (descriptor, _) in self.names.drain().filter(|(descriptor, _)| !names.contains_key(descriptor)) {
            // Fails if the directory is gone, and its watch with it.
            let _ = watches.remove(descriptor);
        }
        self.names = names;
        failed.map_or(Ok(()), Err)
    }

    /// Whether it was reported that not everything can be watched.
    #[cfg(test)]
    pub const fn reported(&self) -> bool {
        self.reported
    }

    /// Returns when one of the names has changed.
    pub async fn changed(&mut self) {
        // Trap: the future may be dropped at any await.
        loop {
            let Some(stream) = &mut self.stream else { return std::future::pending().await };
            match stream.next().await {
                Some(Ok(event)) if event.mask.contains(EventMask::Q_OVERFLOW) => return,
                Some(Ok(event)) => {
                    let names = self.names.get(&event.wd);
                    // Without a name, it is about the directory itself.
                    if names.is_some_and(|names| event.name.is_none_or(|name| names.contains(&name))) {
                        return;
                    }
                }
                Some(Err(error)) => {
                    log::warn!("events of the file cannot be read ({error}); it is looked at every 10 s all the same");
                    self.stream = None;
                }
                None => self.stream = None,
            }
        }
    }
}

/// What helps where the system's limit is reached.
fn way_out(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "; `sysctl fs.inotify.max_user_watches` is the limit",
        Some(libc::EMFILE) => "; `sysctl fs.inotify.max_user_instances` is the limit",
        _ => "",
    }
}

/// What may change a file, or what is behind a name. Opening and reading do not.
fn mask() -> WatchMask {
    WatchMask::CREATE
        | WatchMask::MOVE
        | WatchMask::DELETE
        | WatchMask::MODIFY
        | WatchMask::CLOSE_WRITE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR
}
