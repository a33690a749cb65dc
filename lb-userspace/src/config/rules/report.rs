//! Collects the problems of one service.

use std::{collections::HashMap, hash::Hash};

/// The start of a problem's line.
pub(in super::super) fn label(index: usize, name: &str) -> String {
    match name {
        "" => format!("service number {}", index + 1),
        // A name with unprintable characters is refused, but the message shows it.
        name => format!("service {}", name.escape_debug()),
    }
}

/// Collects the problems of one service.
pub(super) struct Report<'a> {
    pub label: String,
    pub problems: &'a mut Vec<String>,
}

impl Report<'_> {
    pub fn add(&mut self, problem: impl std::fmt::Display) {
        self.problems.push(format!("{}: {problem}", self.label));
    }

    pub fn add_if(&mut self, wrong: bool, problem: impl FnOnce() -> String) {
        if wrong {
            self.add(problem());
        }
    }
}

/// Whether a value occurs for the second time. Later occurrences would only repeat the message.
pub(super) fn second_time<T: Eq + Hash>(seen: &mut HashMap<T, u32>, value: T) -> bool {
    let count = seen.entry(value).or_insert(0);
    *count += 1;
    *count == 2
}
