//! Why a configuration is refused.

use std::{fmt, io, path::PathBuf};

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
    /// The text is not TOML, a key is unknown or missing, or a value has the wrong type.
    #[error("{}{}", Prefix(path.as_ref()), source.to_string().trim_end())]
    Syntax {
        /// The file, if the text came from one.
        path: Option<PathBuf>,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// The text breaks rules.
    #[error("{}", .0.join("\n"))]
    Invalid(
        /// A line for each problem; each names the culprit.
        Vec<String>,
    ),
}

struct Prefix<'a>(Option<&'a PathBuf>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, "{}: ", path.display()))
    }
}
