//! What one check found.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Ok,
    /// It works, but not as it should, or not for everything.
    Warning,
    /// Packets are lost, or will be.
    Failure,
}

impl Level {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// The interface, service, server or address that it is about; `host`: all of it.
    pub subject: String,
    /// How bad it is.
    pub level: Level,
    /// What is so.
    pub seen: String,
    /// What that means; empty where all is well.
    pub meaning: String,
    /// What mends it.
    pub cure: Option<String>,
    /// The same, if it is for a shell to run as it stands.
    pub command: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, subject: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            check,
            subject: subject.into(),
            level: Level::Ok,
            seen: seen.into(),
            meaning: String::new(),
            cure: None,
            command: None,
        }
    }

    /// It is not.
    pub fn bad(
        level: Level,
        check: &'static str,
        subject: impl Into<String>,
        seen: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self { level, meaning: meaning.into(), ..Self::ok(check, subject, seen) }
    }

    /// With words that say what to do.
    #[must_use]
    pub fn cure(self, words: impl Into<String>) -> Self {
        Self { cure: Some(words.into()), ..self }
    }

    /// With a command that does it.
    #[must_use]
    pub fn run(self, command: impl Into<String>) -> Self {
        let command = command.into();
        Self { cure: Some(command.clone()), command: Some(command), ..self }
    }
}
