//! When a server passes, and when it fails: pure.

use crate::config::model::Failure;

/// What counts at present, after `rise` and `fall`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckStreak {
    passing: bool,
    /// Attempts in a row that speak against it.
    against: u16,
}

impl CheckStreak {
    /// For a server that passes, or does not, before the first attempt.
    pub const fn new(passing: bool) -> Self {
        Self { passing, against: 0 }
    }

    /// Whether the server passes.
    pub const fn passing(&self) -> bool {
        self.passing
    }

    /// Adds an attempt. `true`: the server passes from now on, or no longer.
    pub fn add(&mut self, outcome: Result<(), Failure>, rise: u16, fall: u16) -> bool {
        if outcome.is_ok() == self.passing {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let needed = if self.passing { fall } else { rise };
        if self.against < needed {
            return false;
        }
        *self = Self::new(!self.passing);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts, `+` good and `-` bad, and what counts after each.
    fn run(mut tally: CheckStreak, attempts: &str) -> String {
        let outcome = |c: char| if c == '+' { Ok(()) } else { Err(Failure::Timeout) };
        let one = |c: char| {
            let before = tally.passing();
            assert_eq!(tally.add(outcome(c), 2, 3), before != tally.passing());
            if tally.passing() { '+' } else { '-' }
        };
        attempts.chars().map(one).collect()
    }

    #[test]
    fn it_takes_rise_and_fall_in_a_row() {
        assert_eq!(run(CheckStreak::new(true), "--+---+-++--"), "+++++----+++");
        assert_eq!(run(CheckStreak::new(true), "--+--+--"), "++++++++");
        assert_eq!(run(CheckStreak::new(false), "+-+-++"), "-----+");
    }
}
