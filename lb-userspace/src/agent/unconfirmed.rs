//! Rolls back a change that waits for `modlb confirm` if the process that was to do so is gone.

use super::state::Agent;
use crate::{change::rollback::News, observe::agent_view::Level};

impl Agent {
    /// Looks for such a change.
    pub(super) async fn look_at_unconfirmed(&mut self) {
        match self.abandoned.look(&self.instance).await {
            None => {}
            Some(News::Found(left)) => self.note(
                Level::Warning,
                format!(
                    "the process that waits for `modlb confirm` is gone; the agent rolls the change back in {} s unless \
                     it is confirmed",
                    left.as_secs()
                ),
            ),
            Some(News::RolledBack) => {
                self.note(Level::Warning, "a change was not confirmed, and has been rolled back");
                self.refresh(true).await;
                self.report();
            }
            Some(News::Problem(problem)) => self.note(
                Level::Error,
                format!("a change that is not confirmed cannot be rolled back: {problem}; it is tried again"),
            ),
        }
    }
}
