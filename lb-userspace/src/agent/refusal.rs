//! Reports why the file is not in force.

use super::{lock, source::Unreadable, state::Agent, systemd};
use crate::{
    change::emptied::Emptied,
    config::{ConfigError, model::health},
    datapath::Error,
    net,
    observe::agent_view::Level,
    output::{FileState, NotInForce},
};

/// A change waits to be confirmed, which ends by itself. Without the time that is left, so that it is reported once.
#[derive(Debug, thiserror::Error)]
#[error("a change is not confirmed; `modlb confirm` keeps it, `modlb confirm --undo` rolls it back")]
pub(super) struct Unconfirmed;

/// Whether an error is about the text itself, or about what the instance was made for: trying again does not help.
fn is_lasting(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>()
        || error.is::<Emptied>()
        || matches!(error.downcast_ref(), Some(net::Error::AlternativeName { .. }))
        || error.downcast_ref().is_some_and(Error::is_lasting)
}

/// Whether it waits for another command, which a look tells.
pub(super) fn waits_for_a_command(error: &anyhow::Error) -> bool {
    error.is::<Unconfirmed>() || lock::waits(error)
}

/// Whether an error passes by itself even if there is no instance yet.
pub(super) fn passes(error: &anyhow::Error) -> bool {
    waits_for_a_command(error) || (error.is::<net::Error>() && !is_lasting(error))
}

impl Agent {
    /// Reports that the file is not put in force, which leaves what is. `asked`: an operator wants to know even if that
    /// is known.
    pub(super) fn refuse(&mut self, error: &anyhow::Error, asked: bool) {
        // What an ending agent leaves undone, the next one does.
        if self.stop.interrupt().is_set() {
            return;
        }
        let (path, reason) = (self.source.path().display().to_string(), format!("{error:#}"));
        let lasting = is_lasting(error);
        let state = if lasting { FileState::Refused } else { FileState::Waiting };
        let known = self.file.refusal.as_ref().is_some_and(|known| known.reason == reason && known.state == state);
        if lasting {
            self.file.settle();
        } else {
            self.file.retry(waits_for_a_command(error));
        }
        let since = self.file.refusal.as_ref().map_or_else(health::now, |known| known.since);
        let refusal = NotInForce { state, reason: reason.clone(), since };
        self.file.refusal = Some(refusal);
        match state {
            _ if known && !asked => return,
            FileState::Refused => self.note(Level::Error, format!("{path} is not put in force: {reason}")),
            FileState::Waiting => {
                self.note(Level::Warning, format!("{path} is not put in force yet: {reason}; it is tried again"));
            }
        }
        self.failed();
    }

    /// Reports once that there is no instance yet, for want of an interface.
    pub(super) fn waits_for_interface(&mut self, names: &[String]) {
        let reason = format!("no interface exists yet; waiting for {}", names.join(", "));
        let known = self.file.refusal.as_ref().is_some_and(|known| known.reason == reason);
        self.file.settle();
        if !known {
            self.note(Level::Warning, format!("{}: {reason}", self.source.path().display()));
        }
        self.file.refusal = Some(NotInForce { state: FileState::Waiting, reason, since: health::now() });
    }

    /// Reports once that the file cannot be read, which changes nothing.
    pub(super) fn unreadable(&mut self, Unreadable(reason): &Unreadable, asked: bool) {
        let known = self.file.unreadable.replace(NotInForce {
            state: FileState::Refused,
            reason: reason.clone(),
            since: health::now(),
        });
        if let (Some(known), Some(now)) = (&known, &mut self.file.unreadable) {
            now.since = known.since;
        }
        if asked || known.is_none_or(|known| known.reason != *reason) {
            let path = self.source.path().display();
            self.note(Level::Error, format!("{path}: {reason}; what is in force stays"));
            self.failed();
        }
        self.report();
    }

    /// The file can be read again.
    pub(super) fn readable(&mut self) {
        if self.file.unreadable.take().is_some() {
            self.note(Level::Info, format!("{} can be read again", self.source.path().display()));
            self.report();
        }
    }

    fn failed(&self) {
        if let Ok(mut view) = self.shared.write() {
            view.reload_failures += 1;
        }
    }

    /// Notifies systemd, the listener and commands of the state.
    pub fn report(&mut self) {
        let missing = self.missing();
        let mut status = match &self.seen {
            Some(seen) => seen.summary.clone(),
            None => "no instance".to_owned(),
        };
        if !missing.is_empty() {
            status += &format!("; waiting for {}", missing.join(", "));
        }
        if let Some(NotInForce { state, reason, .. }) = self.file.not_in_force() {
            let path = self.source.path().display();
            status += &format!("; {path} {}: {}", state.name(), reason.replace('\n', "; "));
        }
        if let Ok(mut view) = self.shared.write() {
            view.not_in_force = self.file.not_in_force().cloned();
            view.missing = missing.len();
        }
        self.only.record(self.source.path(), self.file.not_in_force(), missing);
        if self.ready {
            systemd::ready(&status);
        } else {
            systemd::status(&status);
        }
    }
}
