//! Something that is read from files, and read again when they change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;

/// What identifies a version of a file: device, inode, length and time of the last change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Something that is read from files.
pub(super) struct FromFiles<T> {
    paths: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> Result<T>,
    state: Mutex<(Vec<Stamp>, Arc<T>)>,
}

impl<T> FromFiles<T> {
    /// Reads it.
    pub fn new(paths: Vec<PathBuf>, read: fn(&[PathBuf]) -> Result<T>) -> Result<Self> {
        let stamps = stamps(&paths);
        let value = Arc::new(read(&paths)?);
        Ok(Self { paths, read, state: Mutex::new((stamps, value)) })
    }

    /// As it was read last.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Reads it again if a file has changed. If that fails, it stays as it was; a key may be replaced before its
    /// certificate.
    pub fn refresh(&self) -> Result<bool> {
        let now = stamps(&self.paths);
        if self.state.lock().unwrap_or_else(PoisonError::into_inner).0 == now {
            return Ok(false);
        }
        let read = (self.read)(&self.paths);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = now;
        state.1 = Arc::new(read?);
        Ok(true)
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
    };
    paths.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_and_a_bad_one_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        fs::write(&path, "1").unwrap();
        let read = |paths: &[PathBuf]| Ok(fs::read_to_string(&paths[0])?.parse::<u32>()?);
        let number = FromFiles::new(vec![path.clone()], read).unwrap();
        assert!(!number.refresh().unwrap());
        fs::write(&path, "22").unwrap();
        assert!(number.refresh().unwrap());
        fs::write(&path, "bad").unwrap();
        number.refresh().unwrap_err();
        // It is reported once.
        assert!(!number.refresh().unwrap());
        assert_eq!(*number.get(), 22);
        fs::remove_file(&path).unwrap();
        number.refresh().unwrap_err();
        assert_eq!(*number.get(), 22);
    }
}
