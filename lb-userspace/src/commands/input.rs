//! Reads configurations from a file or standard input.

use std::{io::Read as _, path::Path};

use anyhow::{Context as _, Result};

use crate::config::{
    ConfigError, file,
    model::{Config, Role},
};

/// Reads and validates a configuration; `-` is standard input.
pub fn read(path: &Path) -> Result<Config> {
    read_for(path, None)
}

/// Like [`read`], for a role from the command line or the instance.
pub fn read_for(path: &Path, role: Option<Role>) -> Result<Config> {
    if path != Path::new("-") {
        return Ok(file::read_for(path, role)?);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
    Ok(file::parse_for(&text, role)?)
}

/// The problems of a configuration.
pub fn problems(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid(problems)) => problems.clone(),
        Some(ConfigError::Read { .. } | ConfigError::Syntax { .. }) | None => vec![format!("{error}")],
    }
}
