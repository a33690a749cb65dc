//! What the agent knows about its file, and when the file is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::output::NotInForce;

/// The pauses before the file is tried again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the agent knows about the file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The digest of the text that was last put in force or refused; `None`: none yet.
    pub judged: Option<u64>,
    /// The length of the text that was last put in force by this agent.
    pub length: usize,
    /// A text that has less in it than what is in force, and when it was first seen.
    pub suspect: Option<(u64, Instant)>,
    /// The file cannot be read.
    pub unreadable: Option<NotInForce>,
    /// The text last judged is not in force.
    pub refusal: Option<NotInForce>,
    /// When it is tried again.
    pub retry_at: Option<Instant>,
    /// The last pause before that.
    pause: Duration,
    /// The file has been put in force, or an operator asked for it: what commands changed counts no longer.
    pub begun: bool,
}

impl File {
    /// Why the file is not in force, if it is not.
    pub fn not_in_force(&self) -> Option<&NotInForce> {
        self.unreadable.as_ref().or(self.refusal.as_ref())
    }

    /// Nothing is wrong with the text last judged, or nobody wants it any more.
    pub fn settle(&mut self) {
        self.refusal = None;
        self.retry_at = None;
        self.pause = Duration::ZERO;
    }

    /// Tries again after a pause: soon where a look tells whether it helps, else less and less often.
    pub fn retry(&mut self, is_cheap: bool) {
        self.pause = if is_cheap { FIRST_PAUSE } else { (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) };
        self.retry_at = Some(Instant::now() + self.pause);
    }
}
