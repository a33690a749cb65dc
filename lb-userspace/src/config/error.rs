//! Why a configuration is refused.

use std::{fmt, io, path::PathBuf};

use super::problem::{Finding, Problem};

/// Why a configuration is refused, with a line for each problem.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The text is not a configuration, or breaks rules.
    #[error("{}", Lines { file: file.as_deref(), problems })]
    Invalid {
        /// Where the text came from, if that is known.
        file: Option<String>,
        /// Every problem, in the order of lines.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// A configuration without a text.
    pub(super) fn in_memory(findings: Vec<Finding>) -> Self {
        Self::Invalid { file: None, problems: findings.into_iter().map(Problem::from).collect() }
    }

    /// The same, naming the file.
    #[must_use]
    pub fn in_file(self, name: impl fmt::Display) -> Self {
        match self {
            Self::Invalid { problems, .. } => Self::Invalid { file: Some(name.to_string()), problems },
            read @ Self::Read { .. } => read,
        }
    }

    /// The problems, without their places.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<String> {
        match self {
            Self::Invalid { problems, .. } => problems.iter().map(|problem| problem.text.clone()).collect(),
            Self::Read { .. } => vec![self.to_string()],
        }
    }
}

struct Lines<'a> {
    file: Option<&'a str>,
    problems: &'a [Problem],
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Problem { place, text }) in self.problems.iter().enumerate() {
            let start = if number == 0 { "" } else { "\n" };
            match (self.file, place) {
                (Some(file), Some(place)) => write!(f, "{start}{file}:{place}: {text}")?,
                (Some(file), None) => write!(f, "{start}{file}: {text}")?,
                (None, Some(place)) => write!(f, "{start}line {}: {text}", place.line)?,
                (None, None) => write!(f, "{start}{text}")?,
            }
        }
        Ok(())
    }
}
