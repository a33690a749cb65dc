//! Problems of one service, collected.

use std::{collections::HashMap, hash::Hash};

/// What a problem's line starts with.
pub(in super::super) fn label(index: usize, name: &str) -> String {
    match name {
        "" => format!("service number {}", index + 1),
        // A name that would spoil the line is refused, but has to be shown first.
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

/// Whether a value is met for the second time: the third and later ones would only repeat the message.
pub(super) fn second_time<T: Eq + Hash>(seen: &mut HashMap<T, u32>, value: T) -> bool {
    let count = seen.entry(value).or_insert(0);
    *count += 1;
    *count == 2
}
