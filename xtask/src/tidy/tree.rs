//! The files of the repository, in the form that every check is given: name → text.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use anyhow::{Context as _, Result};

/// What is built or belongs to git, wherever it lies.
const LEFT_OUT: [&str; 3] = [".git", "target", "mutants.out"];

/// Names are relative to the root, with `/` between their parts.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads everything below a directory. The text of what is not UTF-8 is empty.
    pub fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.add(root, "")?;
        Ok(tree)
    }

    fn add(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            if entry.file_type()?.is_dir() {
                self.add(&path, &format!("{name}/"))?;
                continue;
            }
            let text = match fs::read_to_string(&path) {
                Err(error) if error.kind() != ErrorKind::InvalidData => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()));
                }
                text => text.unwrap_or_default(),
            };
            self.0.insert(name, text);
        }
        Ok(())
    }

    /// The text of a file; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn has_directory(&self, name: &str) -> bool {
        let prefix = format!("{}/", name.trim_end_matches('/'));
        self.names().any(|name| name.starts_with(&prefix))
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The files whose names end so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter(move |(name, _)| name.ends_with(end)).map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

#[cfg(test)]
impl Tree {
    /// A tree for tests of checks.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }
}
