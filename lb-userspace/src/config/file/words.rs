//! Words of the file, and what they stand for.

use lb_common::limits::DEFAULT_RESILIENT_SLOTS;

use crate::config::model::{Direction, Formula, Fragments, Role, Selection, State};

// In each table the default comes first.
pub(super) const ROLES: [(&str, Role); 4] = [
    (Role::Balancer.name(), Role::Balancer),
    (Role::Member.name(), Role::Member),
    (Role::Steer.name(), Role::Steer),
    (Role::Keep.name(), Role::Keep),
];
pub(super) const FORMULAS: [(&str, Formula); 2] =
    [(Formula::ThreeTuple.name(), Formula::ThreeTuple), (Formula::FiveTuple.name(), Formula::FiveTuple)];
pub(super) const FRAGMENTS: [(&str, Fragments); 2] =
    [(Fragments::Pass.name(), Fragments::Pass), (Fragments::Balance.name(), Fragments::Balance)];
pub(super) const DIRECTIONS: [(&str, Direction); 3] = [
    (Direction::Forward.name(), Direction::Forward),
    (Direction::Reply.name(), Direction::Reply),
    (Direction::Both.name(), Direction::Both),
];
pub(super) const STATES: [(&str, State); 2] = [(State::Up.name(), State::Up), (State::Down.name(), State::Down)];
const RESILIENT: Selection = Selection::Resilient { slots: DEFAULT_RESILIENT_SLOTS };
pub(super) const SELECTIONS: [(&str, Selection); 2] =
    [(Selection::Modulo.name(), Selection::Modulo), (RESILIENT.name(), RESILIENT)];

/// The value of a word, or the default if there is none. A word that is not allowed is reported.
pub(super) fn word<T: Copy>(key: &str, text: Option<&str>, allowed: &[(&str, T)], report: impl FnOnce(String)) -> T {
    let default = allowed[0].1;
    let Some(text) = text else { return default };
    let known = allowed.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.unwrap_or_else(|| {
        let words: Vec<_> = allowed.iter().map(|(word, _)| format!("{word:?}")).collect();
        report(format!("{key} {text:?} is not known; it is {}", words.join(" or ")));
        default
    })
}

/// The value, unless it is the default, which a file can leave out.
pub(super) fn unless_default<T: PartialEq>(value: T, default: &T) -> Option<T> {
    (value != *default).then_some(value)
}
