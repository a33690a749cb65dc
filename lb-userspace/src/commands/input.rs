//! Configurations from a file, or from standard input.

use std::{io::Read as _, path::Path};

use anyhow::{Context as _, Result};

use crate::config::{
    ConfigError, file,
    model::{Config, Role},
};

/// Reads and judges a configuration; `-` is standard input.
pub fn read(path: &Path) -> Result<Config> {
    read_for(path, None)
}

/// As [`read`], for a role that the command line names.
pub fn read_for(path: &Path, role: Option<Role>) -> Result<Config> {
    if path != Path::new("-") {
        return Ok(file::read_for(path, role)?);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
    Ok(file::parse_for(&text, role)?)
}

/// A file's problems, one to a line, as a list.
pub fn problems(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid(problems)) => problems.clone(),
        Some(ConfigError::Read { .. } | ConfigError::Syntax { .. }) | None => vec![format!("{error}")],
    }
}
