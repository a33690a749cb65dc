//! What is wrong with a host, and what mends it.
//!
//! ```text
//! gather   reads facts: from the kernel, from the drivers, from the link
//! facts    the facts, as plain values
//! checks   facts → findings, pure: one file for each group
//! probe    asks the link who has an address
//! ```

use serde::Serialize;

pub mod checks;
pub mod facts;
pub mod gather;
pub mod probe;

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

/// How commands are to be written so that they reach the network namespace and the instance that are meant.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// As `--netns` was given.
    pub netns: Option<String>,
    /// As `--instance` was given.
    pub instance: String,
}

impl Ways {
    /// A command for this network namespace.
    pub fn here(&self, command: &str) -> String {
        self.netns.as_deref().map_or_else(|| command.to_owned(), |netns| within(netns, command))
    }

    /// Settings of this network namespace.
    pub fn sysctl(&self, settings: &[String]) -> String {
        self.here(&format!("sysctl -w {}", settings.join(" ")))
    }

    /// A call of this command, for the instance.
    pub fn modlb(&self, arguments: &str) -> String {
        let netns = self.netns.as_ref().map_or_else(String::new, |netns| format!(" --netns {netns}"));
        let instance = match self.instance.as_str() {
            "default" => String::new(),
            name => format!(" --instance {name}"),
        };
        format!("modlb{netns}{instance} {arguments}")
    }
}

/// A command for a network namespace. File systems stay, unlike with `ip netns exec`.
pub fn within(netns: &str, command: &str) -> String {
    let path = if netns.contains('/') { netns.to_owned() } else { format!("/run/netns/{netns}") };
    format!("nsenter --net={path} -- {command}")
}
