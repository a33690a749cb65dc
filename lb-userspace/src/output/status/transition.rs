//! A service's transition from one server list to another.

use std::time::Duration;

use serde::Serialize;

use crate::trace::clock;

/// Earlier server lists that still count.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TransitionView {
    /// Since when it has had these lists, in Unix time.
    pub since: u64,
    /// How many lists.
    pub previous_lists: usize,
}

impl TransitionView {
    /// Text such as `since 2026-11-30 12:00 UTC (2 previous lists)`.
    pub(super) fn render(self) -> String {
        let Self { since, previous_lists } = self;
        let since = clock::minute(Duration::from_secs(since));
        let plural = if previous_lists == 1 { "" } else { "s" };
        format!("since {since} ({previous_lists} previous list{plural})")
    }
}
