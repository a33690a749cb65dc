//! What a package is made from, and where.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::process::{capture, root};

/// Where packages are made.
pub const DIRECTORY: &str = "target/deb";

/// When the last commit was made, in seconds.
pub fn epoch() -> Result<String> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => Ok(epoch),
        Err(_) => Ok(capture(Command::new("git").args(["log", "-1", "--format=%ct"]))?.trim().to_owned()),
    }
}

/// A file of the sources.
pub fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"))
}

/// The files right in a directory, in order.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    entries(directory, |path| path.is_file())
}

/// The directories right in a directory, in order.
pub fn directories(directory: &Path) -> Result<Vec<PathBuf>> {
    entries(directory, |path| path.is_dir())
}

fn entries(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| wanted(path));
    paths.sort();
    Ok(paths)
}
