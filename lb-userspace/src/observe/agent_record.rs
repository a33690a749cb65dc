//! What a running agent records in `/run/modlb`, so that commands know what only its memory has.
//!
//! Trap: an agent that is killed leaves its record. So it counts only while an agent has the lock.

use std::fs;

use anyhow::Result;

use crate::{datapath::store::private, output::AgentView};

/// Replaces the record of an instance's agent.
///
/// # Errors
///
/// It cannot be written.
pub fn write(instance: &str, view: &AgentView) -> Result<()> {
    Ok(private::write(&private::agent_record(instance), &serde_json::to_string(view)?)?)
}

/// Removes it.
pub fn remove(instance: &str) {
    let _ = fs::remove_file(private::agent_record(instance));
}

/// What the agent of an instance has recorded; `None`: none runs, or it has not recorded anything yet.
pub fn read(instance: &str) -> Option<AgentView> {
    if !private::has_agent(instance).ok()? {
        return None;
    }
    serde_json::from_str(&fs::read_to_string(private::agent_record(instance)).ok()?).ok()
}
