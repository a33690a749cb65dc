//! Reads configurations from a file or standard input.

use std::{io::Read as _, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;

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
    Ok(read_with_text(path, role)?.0)
}

/// Like [`read_for`], and the text.
pub fn read_with_text(path: &Path, role: Option<Role>) -> Result<(Config, String)> {
    let bytes = bytes(path)?;
    let config = file::parse_bytes(&bytes, role).map_err(|error| error.in_file(name(path)))?;
    // It was text just now.
    Ok((config, String::from_utf8(bytes)?))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return Ok(file::bytes(path)?);
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("reading standard input")?;
    Ok(bytes)
}

/// What messages call a file.
pub fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// A problem of a configuration, for programs.
#[derive(Clone, Debug, Serialize)]
pub struct InputError {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
}

/// The problems of a configuration.
pub fn problems(path: &Path, error: &anyhow::Error) -> Vec<InputError> {
    let file = name(path);
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid { problems, .. }) => {
            let problems = problems.iter().map(|problem| InputError {
                file: file.clone(),
                line: problem.place.map(|place| place.line),
                column: problem.place.map(|place| place.column),
                message: problem.text.clone(),
            });
            problems.collect()
        }
        Some(ConfigError::Read { source, .. }) => {
            vec![InputError { file, line: None, column: None, message: source.to_string() }]
        }
        None => vec![InputError { file, line: None, column: None, message: format!("{error:#}") }],
    }
}
