//! Why a configuration is refused.

use std::{fmt, io, path::PathBuf};

/// Why a configuration is refused: everything that is wrong with it, a line each.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not TOML, or not of the configuration's shape: a key unknown or missing, a value of another type.
    #[error("{}{}", Prefix(path.as_ref()), source.to_string().trim_end())]
    Syntax {
        /// The file, if the text came from one.
        path: Option<PathBuf>,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// The text means something that cannot be.
    #[error("{}", .0.join("\n"))]
    Invalid(
        /// One line for each problem, in the order of the file; each names the culprit.
        Vec<String>,
    ),
}

struct Prefix<'a>(Option<&'a PathBuf>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, "{}: ", path.display()))
    }
}
