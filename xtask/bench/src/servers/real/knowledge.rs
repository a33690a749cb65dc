//! What servers know of the lists.

use crate::keep::workload::LISTS;

/// What servers know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Knowledge {
    /// How many previous lists; `None`: they do not run role `keep`.
    pub lists: Option<usize>,
    /// They know each list before it is in force.
    pub announced: bool,
}

impl Knowledge {
    /// No role `keep`.
    pub const WITHOUT: Self = Self { lists: None, announced: false };
    /// As many lists as a file may have.
    pub const ALL: Self = Self::of(LISTS);
    /// The same, with lists that are announced.
    pub const ANNOUNCED: Self = Self { announced: true, ..Self::ALL };

    /// So many lists.
    pub const fn of(lists: usize) -> Self {
        Self { lists: Some(lists), announced: false }
    }

    /// The name in output.
    pub fn name(self) -> String {
        let announced = if self.announced { ", announced" } else { "" };
        self.lists.map_or_else(|| "without keep".to_owned(), |lists| format!("previous lists: {lists}{announced}"))
    }
}
