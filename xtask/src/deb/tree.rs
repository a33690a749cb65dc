//! What will be in the package, as a directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::process::capture;

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Read by all.
    Data,
    /// Run by all.
    Program,
}

impl Mode {
    /// That of a file in the sources.
    pub fn of(path: &Path) -> Result<Self> {
        let mode = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.permissions().mode();
        Ok(if mode & 0o100 == 0 { Self::Data } else { Self::Program })
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Data => 0o644,
            Self::Program => 0o755,
        }
    }
}

/// The directory.
///
/// Trap: whoever builds may have another umask; modes are therefore set, never left.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty one, in the place of what was there.
    pub fn new(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
        }
        let tree = Self { root };
        tree.directory("")?;
        Ok(tree)
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory, with those above it.
    pub fn directory(&self, path: &str) -> Result<PathBuf> {
        let mut directory = self.root.clone();
        for part in std::iter::once("").chain(path.split('/')) {
            directory.push(part);
            fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        }
        Ok(directory)
    }

    /// A file of this content.
    pub fn file(&self, path: &str, mode: Mode, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let path = self.directory(directory)?.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode.bits()))?;
        Ok(path)
    }

    /// A copy of a file.
    pub fn copy(&self, path: &str, mode: Mode, from: &Path) -> Result<PathBuf> {
        self.file(path, mode, fs::read(from).with_context(|| format!("reading {}", from.display()))?)
    }

    /// A file of this content, compressed, without a date in it.
    pub fn compressed(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let file = self.file(path, Mode::Data, content)?;
        capture(Command::new("gzip").args(["-9", "--no-name", "--force"]).arg(file)).map(drop)
    }
}
