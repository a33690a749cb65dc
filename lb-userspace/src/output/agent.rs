//! An instance's agent, as `modlb status` shows it.

use serde::{Deserialize, Serialize};

/// A running agent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AgentView {
    /// Its process.
    pub process: u32,
    /// The configuration file.
    pub file: String,
    /// Why the file is not in force; `None`: it is, as far as commands have not changed anything since.
    pub not_in_force: Option<NotInForce>,
    /// Interfaces that it waits for.
    pub missing: Vec<String>,
}

/// The file is not in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NotInForce {
    /// Whether it is tried again.
    pub state: FileState,
    /// Why, a line for each problem.
    pub reason: String,
    /// Since when, in Unix time.
    pub since: u64,
}

/// What becomes of a file that is not in force.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Something is wrong with the file: nothing happens until it changes.
    Refused,
    /// Something else is in the way: it is tried again.
    Waiting,
}

impl FileState {
    /// Every state.
    pub const ALL: [Self; 2] = [Self::Refused, Self::Waiting];

    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }
}

impl AgentView {
    /// A line for each thing that is not as the file says.
    pub(super) fn render(&self) -> String {
        let Self { process: _, file, not_in_force, missing } = self;
        let mut text = String::new();
        if let Some(NotInForce { state, reason, since: _ }) = not_in_force {
            let until = match state {
                FileState::Refused => "refused until it changes",
                FileState::Waiting => "tried again",
            };
            text += &format!("agent: {file} is not in force ({until}): {reason}\n");
        }
        if !missing.is_empty() {
            text += &format!("agent: waiting for {}\n", missing.join(", "));
        }
        if text.is_empty() { text } else { text + "\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_as_the_file_says_is_shown() {
        let file = "/etc/modlb.toml".to_owned();
        let agent = AgentView { process: 7, file, not_in_force: None, missing: Vec::new() };
        assert_eq!(agent.render(), "");
        let reason = "service a: no name".to_owned();
        let refused = NotInForce { state: FileState::Refused, reason, since: 1 };
        let agent = AgentView { not_in_force: Some(refused), missing: vec!["eth1".to_owned()], ..agent };
        assert_eq!(
            agent.render(),
            "agent: /etc/modlb.toml is not in force (refused until it changes): service a: no name\nagent: waiting for \
             eth1\n\n"
        );
        let json = serde_json::to_string(&agent).unwrap();
        assert!(json.contains(r#""state":"refused""#), "{json}");
        assert_eq!(serde_json::from_str::<AgentView>(&json).unwrap(), agent);
    }
}
