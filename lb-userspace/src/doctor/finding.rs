//! What one check found.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to report.
    Ok,
    /// It works, but not as it should, or not for all traffic.
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
    /// The interface, service, server or address in question; `host`: the whole host.
    pub subject: String,
    /// How bad it is.
    pub level: Level,
    /// What was seen.
    pub seen: String,
    /// What that means; empty at level `ok`.
    pub meaning: String,
    /// How to fix it.
    pub cure: Option<String>,
    /// The cure, if it is a command that a shell can run as it stands.
    pub command: Option<String>,
}

impl Finding {
    /// A finding of level `ok`.
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

    /// A warning or failure.
    pub fn bad(
        level: Level,
        check: &'static str,
        subject: impl Into<String>,
        seen: impl Into<String>,
        meaning: impl Into<String>,
    ) -> Self {
        Self { level, meaning: meaning.into(), ..Self::ok(check, subject, seen) }
    }

    /// Adds a cure in words.
    #[must_use]
    pub fn cure(self, words: impl Into<String>) -> Self {
        Self { cure: Some(words.into()), ..self }
    }

    /// Adds a command as the cure.
    #[must_use]
    pub fn run(self, command: impl Into<String>) -> Self {
        let command = command.into();
        Self { cure: Some(command.clone()), command: Some(command), ..self }
    }
}
