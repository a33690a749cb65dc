//! A mistake in a configuration.

use std::fmt;

use super::path::Path;

/// A mistake in a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where it is, if the configuration came from a text.
    pub place: Option<Place>,
    /// What is wrong; it names the culprit.
    pub text: String,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self { line, column: String::from_utf8_lossy(&before[start..]).chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A mistake of which only the key is known so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Finding {
    /// The key.
    pub path: Path,
    /// What is wrong.
    pub text: String,
    /// Keys whose absence is what is wrong. Where one is there but cannot be read, this is a consequence.
    pub absent: Vec<Path>,
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        Self { place: None, text: finding.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let place = |offset| Place::of("é = 1\nb = \"x\"\n", offset).to_string();
        assert_eq!([0, 2, 7, 11, 15, 99].map(place), ["1:1", "1:2", "2:1", "2:5", "3:1", "3:1"]);
    }
}
